//! Hostile values: what people keep in secrets, and what parsers of .env files trip over. All invented.
//!
//! Owns the list. It never says which dialect can hold which value.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;

/// Every value once, each with a name of its own: `V000`, `V001` and so on, in this order.
pub(crate) fn named() -> Vec<(String, String)> {
    let mut seen = BTreeSet::new();
    let values = values().into_iter().filter(|value| seen.insert(value.clone()));
    values.enumerate().map(|(number, value)| (format!("V{number:03}"), value)).collect()
}

/// What parsers care about. Nothing in it does harm where a shell runs it.
const PIECES: [&str; 24] = [
    "'", "\"", "`", "\\", "\\", "$", "{", "}", "#", " ", "\t", "\n", "\r", "=", "a", "n", "HOME", "'", "\"",
    "${", " #", "\\n", ":", "é",
];

/// Random values, the same ones in every run: `R000` and so on.
pub(crate) fn random(count: usize) -> Vec<(String, String)> {
    let pieces = prop::collection::vec(prop::sample::select(&PIECES[..]), 1..14);
    let values = sampled(pieces.prop_map(|pieces| pieces.concat()), count).into_iter();
    values.enumerate().map(|(number, value)| (format!("R{number:03}"), value)).collect()
}

/// Random files of a few assignments with such values, quoted or not, the same ones in every run.
pub(crate) fn random_files(count: usize) -> Vec<String> {
    const STARTS: [&str; 10] = ["A=", "B=", "C=", "A='", "B=\"", "C=\"", "A=`", "export B=", "C = ", "# "];
    const ENDS: [&str; 7] = ["\n", "\n", "'\n", "\"\n", "\"\n", "`\n", " # c\n"];
    let pieces = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..5);
    let line = (prop::sample::select(&STARTS[..]), pieces, prop::sample::select(&ENDS[..]));
    let line = line.prop_map(|(start, pieces, end)| format!("{start}{}{end}", pieces.concat()));
    sampled(prop::collection::vec(line, 1..4).prop_map(|lines| lines.concat()), count)
}

fn sampled(strategy: impl Strategy<Value = String>, count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn values() -> Vec<String> {
    let mut values: Vec<String> = LISTED.iter().map(|value| (*value).to_owned()).collect();
    values.extend(quoted());
    values.extend(line_ends());
    values.extend(unseen());
    values.extend(django_keys());
    values.extend(keys_and_tokens());
    values.extend(long());
    values
}

const LISTED: &[&str] = &[
    "",
    "plain",
    "two words",
    // Blanks.
    " ",
    "  ",
    "\t",
    " leading",
    "trailing ",
    "\tleading",
    "trailing\t",
    "  both  ",
    "in\tside",
    "a  b",
    "\u{a0}nbsp\u{a0}",
    "\u{3000}wide\u{3000}",
    "\u{85}nel\u{85}",
    // Backslashes.
    "\\",
    "\\\\",
    "\\\\\\",
    "\\\\\\\\",
    "ends in \\",
    "ends in \\\\",
    "ends in \\\\\\",
    "\\n",
    "\\r",
    "\r\\",
    "a\r\nb\\",
    "\\t",
    "a\\nb",
    "a\\\\nb",
    "a\\rb\\tc",
    "\\a\\b\\c\\f\\v\\0\\x41\\u0041\\101",
    "\\ blank",
    "\\$HOME",
    "\\\\$HOME",
    "\\`id\\`",
    "C:\\Users\\new\\temp\\",
    "\\\\server\\share\\",
    "^\\d+\\.\\w*$",
    "'\\'",
    "\"\\\"",
    "`\\`",
    "'\\\\'",
    "\"\\\\\"",
    "\\'",
    "\\\"",
    "\\`",
    "x\\'y",
    "x\\\"y",
    "x\\`y",
    "\\'\\\"\\`",
    "it\\'s \"so\" `very` \\",
    "\\\nnext",
    "line\\\nline\\\n",
    // Dollars.
    "$",
    "$$",
    "$$$",
    "$HOME",
    "$$HOME",
    "${HOME}",
    "$${HOME}",
    "${",
    "${}",
    "$}",
    "${HOME",
    "$HOME}",
    "a${HOME:-default}b",
    "a${NOBODY:-default}b",
    "a${NOBODY-default}b",
    "a${NOBODY:?error}b",
    "a${HOME:+other}b",
    "${:-$}",
    "${:-$}{HOME}",
    "${:-\\\\}",
    "${${HOME}}",
    "$NOBODY",
    "$1$2$@$*$#$?$!$-",
    "ends in $",
    "pa$$word",
    "price: $5",
    "\"$HOME\"",
    "'$HOME'",
    "'${HOME}'",
    "$'x'",
    "$\"x\"",
    "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g",
    "pbkdf2_sha256$600000$salt$aGFzaA==",
    // Hashes.
    "#",
    "##",
    "#leading",
    "trailing#",
    "in#side",
    "a #b",
    "a # b",
    "a\t#b",
    " #",
    "# ",
    "'a' # b",
    "\"a\" # b",
    "\"a # b\"",
    "'a # b'",
    "\"a#b\"",
    "#fff",
    "`a#b` 'c' \"d\"",
    "'\"`#",
    "'\"`#\n",
    // What a shell would run or expand.
    "$(id)",
    "`id`",
    "$((1+1))",
    "<(id)",
    "; id",
    "a;b",
    "a&b",
    "a|b",
    "a>b<c",
    "(a)",
    "{a,b}",
    "*",
    "?",
    "[a-z]",
    "~",
    "~/x",
    "a:~/x",
    "a=~",
    "!",
    "!!",
    "a!b",
    "' ; id ; '",
    "\" ; id ; \"",
    "\n; id",
    "\nV000=taken",
    "'\nV000='taken",
    "\"\nV000=\"taken",
    "`\nV000=`taken",
    "a\nexport V000=taken\n",
    "x' # '.",
    "x\\' # '.",
    // What a parser might take for syntax.
    "=",
    "==",
    "a=b",
    "=a",
    "a=",
    "export X=1",
    "X=1",
    "export",
    ":",
    ": a",
    "a: b",
    "- a",
    "%",
    "%s",
    "%%",
    "%(name)s",
    "{{",
    "}}",
    "{{ name }}",
    "{0}",
    "<%= x %>",
    "@file",
    "encrypted:invented",
    "op://vault/item",
    "arn:aws:secretsmanager:us-east-1:111122223333:secret:invented-AbCdEf:key::",
    "null",
    "true",
    "0123",
    "1e5",
    "NaN",
    ";comment",
    "//comment",
    // Structured text.
    "{\"a\": \"b\", \"c\": [1, 2], \"d\": \"it's\"}",
    "{\"a\":\"line\\nline\",\"b\":\"quote\\\"quote\"}",
    "{\n  \"a\": \"b\"\n}\n",
    "['a', \"b\", `c`]",
    "<a href=\"x?y=1&amp;z='2'\">text</a>",
    "a,b,\"c,d\"",
    "key: |\n  block\n  text\n",
    // Unicode.
    "naïve café",
    "пароль",
    "密码",
    "🔑",
    "👩‍👩‍👧",
    "e\u{301}",
    "\u{202e}reversed",
    "\u{200b}",
    "\u{feff}",
    "\u{feff}bom first",
    "bom \u{feff} inside",
    "\u{fdd0}",
    "noncharacter \u{fdef} inside",
    "\u{fffe}",
    "\u{ffff}",
    "\u{1fffe}",
    "\u{10ffff}",
    "\u{fffd}",
    "\u{e000}",
    "‘curly’ “quotes”",
];

/// Every combination of quotes: alone, at the ends, inside, unbalanced, nested, beside each other.
fn quoted() -> Vec<String> {
    const QUOTES: [char; 3] = ['\'', '"', '`'];
    let mut values = Vec::new();
    for a in QUOTES {
        values.extend([
            format!("{a}"),
            format!("{a}x"),
            format!("x{a}"),
            format!("x{a}y"),
            format!("{a}x{a}"),
        ]);
        values.extend([format!("{a}{a}"), format!("{a}x"), format!("{a} {a}"), format!("{a}x{a} y {a}z{a}")]);
        values.extend([
            format!("{a}x{a}y"),
            format!("x{a}y{a}"),
            format!("{a}x\ny{a}"),
            format!("x{a}\n{a}y"),
        ]);
        values.extend([format!("x{a}\\"), format!("\\{a}x{a}\\"), format!("{a}#{a}"), format!("x{a} #y")]);
        for b in QUOTES.into_iter().filter(|b| *b != a) {
            values.extend([format!("x{a}y{b}z"), format!("{a}x{b}"), format!("{a}{b}x{b}{a}")]);
            values.extend([format!("{a}x{a}{b}y{b}"), format!("{a}{b}\n#"), format!("\\{a}{b}")]);
        }
    }
    let all = [
        "'\"`",
        "`\"'",
        "it's \"so\" `very` much",
        "'a'\"b\"`c`",
        "'\"`\n",
        "'\"`\r",
        "'\"`\\n",
        "'\"`\\n\n",
    ];
    values.extend(all.map(str::to_owned));
    // No quote fits these, and what stands bare loses its blanks.
    for blank in ["\t", " ", "\u{b}", "\u{c}", "\u{a0}", "\u{3000}", "\u{feff}"] {
        values.extend([format!("x'\"`{blank}"), format!("{blank}x'\"`")]);
    }
    values.extend(["'\"` $x", " '\"`", "'\"`\\", "'\"`\u{2028}"].map(str::to_owned));
    values
}

/// LF, CR and the others that django-environ takes for line ends, each alone, inside, at the ends and doubled.
fn line_ends() -> Vec<String> {
    let ends = [
        "\n", "\r", "\r\n", "\n\r", "\u{b}", "\u{c}", "\u{1c}", "\u{1d}", "\u{1e}", "\u{85}", "\u{2028}",
        "\u{2029}",
    ];
    let forms = |end: &str| {
        [end.to_owned(), format!("a{end}b"), format!("{end}a"), format!("a{end}"), format!("a{end}{end}b")]
    };
    let mut values: Vec<String> = ends.into_iter().flat_map(forms).collect();
    values.extend(["a\r\r", "a\\\r", "a\\\r\nb", "a\nb'c\"d", "a \nb", "a\n b", "\n\n\n"].map(str::to_owned));
    values
}

/// Control characters, and what is not there for the eye.
fn unseen() -> Vec<String> {
    let controls = (1..=0x1f_u8).chain([0x7f]).map(char::from);
    let mut values: Vec<String> = controls.clone().map(|control| format!("a{control}b")).collect();
    values.push(controls.collect());
    values.extend(
        ["\u{1}", "\u{7f}", "\u{1b}[31mred\u{1b}[0m", "\u{80}", "\u{9f}", "\u{ad}"].map(str::to_owned),
    );
    values
}

/// Keys as `get_random_secret_key` makes them, with each of its marks first, inside and last, and the marks together.
fn django_keys() -> Vec<String> {
    const MARKS: &str = "!@#$%^&*(-_=+)";
    let body = "r4nd0m1nvented0key0of0a0test0and0of0nobody0else";
    let one =
        |mark: char| [format!("{mark}{body}"), format!("{body}{mark}"), format!("r4nd0m{mark}1nvented")];
    let mut values: Vec<String> = MARKS.chars().flat_map(one).collect();
    values.extend([MARKS.to_owned(), format!("x{MARKS}"), MARKS.chars().rev().collect()]);
    values.push("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".to_owned());
    values.push((' '..='~').collect());
    values.push(('!'..='~').rev().collect());
    values
}

/// What the two deployments of the examples really keep, with invented content.
fn keys_and_tokens() -> Vec<String> {
    let pem = |kind: &str, end: &str| {
        let lines = ["MIIInventedInventedInvented+/0123456789", "InventedInvented=="];
        format!("-----BEGIN {kind}-----{end}{}{end}-----END {kind}-----", lines.join(end))
    };
    [
        pem("PRIVATE KEY", "\n") + "\n",
        pem("RSA PRIVATE KEY", "\n"),
        pem("CERTIFICATE", "\r\n") + "\r\n",
        pem("OPENSSH PRIVATE KEY", "\\n") + "\\n",
        "postgres://user:p%40ss%2Fw%23rd@db.example.invalid:5432/name?sslmode=verify-full".to_owned(),
        "postgres://user:p@ss$w#rd@db.example.invalid/name".to_owned(),
        "rediss://:token@redis.example.invalid:6379/0?ssl_cert_reqs=none".to_owned(),
        "https://user:key@example.invalid/path?a=1&b=%20#fragment".to_owned(),
        "https://examplePublicKey@o0.ingest.example.invalid/0".to_owned(),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJpbnZlbnRlZCJ9.".to_owned(),
        "invented/AccessKey+Example/0123456789==".to_owned(),
        "Basic dXNlcjpwYXNzd29yZA==".to_owned(),
        "ssh-ed25519 AAAAInvented user@example.invalid".to_owned(),
        "0 3 * * * /usr/bin/task --flag='a b' > /dev/null 2>&1".to_owned(),
        "Server=tcp:db;User Id=sa;Password=\"a;b'c\";".to_owned(),
        "admin@example.invalid, \"Ops, Team\" <ops@example.invalid>".to_owned(),
    ]
    .into()
}

/// Up to and past what a line of Docker's (65,535 bytes) and a variable of Linux's (131,072) may have; the name has
/// four characters.
fn long() -> Vec<String> {
    let of = |length: usize| "0123456789abcdef".repeat(length / 16 + 1)[..length].to_owned();
    let mut values: Vec<String> =
        [4096, 65_529, 65_530, 65_531, 65_536, 70_000, 131_065, 131_066, 131_067, 131_080].map(of).into();
    values.extend([format!("{} # '\"", of(70_000)), format!("{}\n{}", of(40_000), of(40_000))]);
    values.push("line of text\n".repeat(5_000));
    values
}

#[test]
fn the_corpus_is_as_large_as_promised() {
    assert!(named().len() >= 150, "{}", named().len());
}
