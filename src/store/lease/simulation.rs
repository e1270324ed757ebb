//! Twenty thousand random orders of three clients that want one lease, with answers that are lost, calls that are
//! repeated and reads that are late: by the rule that is used, and by weaker ones that look as if they would do.

use super::rule::{Mark, Verdict, newest_that_counts, verdict};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const ROUNDS: u64 = 20_000;
const CLIENTS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rule {
    /// Put, read, and ask whether it is one's own.
    ReadBack,
    /// The answer's version is the one seen and one.
    NextVersion,
    /// The history has one's own nonce there.
    OwnNonce,
    /// It has it there, behind the version that was seen: what is used.
    Used,
}

/// The parameter, with every version of its present life.
#[derive(Default)]
struct Parameter {
    versions: Vec<Mark>,
    /// What an earlier life looked like: a late read may still show it.
    late: Vec<Vec<Mark>>,
}

impl Parameter {
    fn new() -> Parameter {
        let mut parameter = Parameter::default();
        parameter.put(Mark { nonce: "free".to_owned(), base: 0, after: None });
        parameter
    }

    fn put(&mut self, mark: Mark) -> i64 {
        self.late.push(self.versions.clone());
        self.versions.push(mark);
        self.versions.len() as i64
    }

    fn make_anew(&mut self, life: u64) {
        self.late.push(std::mem::take(&mut self.versions));
        self.put(Mark { nonce: format!("free in life {life}"), base: 0, after: None });
    }

    /// What a reader sees: what is there, or what was.
    fn read(&self, late: bool, random: &mut StdRng) -> Vec<Mark> {
        match late && random.random_ratio(1, 5) {
            true => self.late[random.random_range(0..self.late.len())].clone(),
            false => self.versions.clone(),
        }
    }
}

enum State {
    Looking,
    Putting { mine: Mark, tries: u32 },
    Deciding { mine: Mark, answered: i64, looks: u32 },
    Done { holds: bool },
}

struct Client {
    number: usize,
    puts: u32,
    state: State,
}

impl Client {
    fn step(&mut self, parameter: &mut Parameter, rule: Rule, late: bool, random: &mut StdRng) {
        self.state = match std::mem::replace(&mut self.state, State::Done { holds: false }) {
            State::Looking => {
                let seen = parameter.read(late, random);
                let numbered: Vec<(i64, &Mark)> = (1..).zip(&seen).collect();
                let counting = newest_that_counts(&numbered).map(|at| &seen[at]);
                match counting {
                    Some(held) if !held.nonce.starts_with("free") => State::Done { holds: false },
                    _ => {
                        self.puts += 1;
                        let nonce = format!("client {} put {}", self.number, self.puts);
                        let after = seen.last().map(|last| last.nonce.clone());
                        State::Putting { mine: Mark { nonce, base: seen.len() as i64, after }, tries: 0 }
                    }
                }
            }
            State::Putting { mine, tries } => {
                let answered = parameter.put(mine.clone());
                // The answer is lost, and the call is repeated by whoever knows no better.
                match tries < 3 && random.random_ratio(3, 10) {
                    true => State::Putting { mine, tries: tries + 1 },
                    false => State::Deciding { mine, answered, looks: 0 },
                }
            }
            State::Deciding { mine, answered, looks } => {
                let seen = parameter.read(late && looks < 5, random);
                let at = |version: i64| usize::try_from(version - 1).ok().and_then(|at| seen.get(at));
                let holds = match rule {
                    Rule::ReadBack => Some(seen.last().is_some_and(|last| last.nonce == mine.nonce)),
                    Rule::NextVersion => Some(answered == mine.base + 1),
                    Rule::OwnNonce => at(mine.base + 1).map(|found| found.nonce == mine.nonce),
                    Rule::Used => match verdict(&mine, at(mine.base + 1), at(mine.base)) {
                        Verdict::Won => Some(true),
                        Verdict::Lost => Some(false),
                        Verdict::Unseen => None,
                    },
                };
                match holds {
                    Some(holds) => State::Done { holds },
                    None if looks > 8 => State::Done { holds: false },
                    None => State::Deciding { mine, answered, looks: looks + 1 },
                }
            }
            done @ State::Done { .. } => done,
        };
    }

    fn has_put(&self) -> bool {
        match self.state {
            State::Looking | State::Putting { tries: 0, .. } => false,
            State::Putting { .. } | State::Deciding { .. } | State::Done { .. } => true,
        }
    }

    fn holds(&self) -> bool {
        matches!(self.state, State::Done { holds: true })
    }
}

/// How many rounds ended with two holders, and how many with none.
fn simulate(rule: Rule, anew: bool, late: bool) -> (u32, u32) {
    let (mut several, mut none) = (0, 0);
    for seed in 0..ROUNDS {
        let mut random = StdRng::seed_from_u64(seed);
        let mut parameter = Parameter::new();
        let mut clients: Vec<Client> =
            (0..CLIENTS).map(|number| Client { number, puts: 0, state: State::Looking }).collect();
        let mut lives = 0;
        while clients.iter().any(|client| !matches!(client.state, State::Done { .. })) {
            if anew && lives < 1 && random.random_ratio(1, 6) {
                lives += 1;
                parameter.make_anew(lives);
                // What was put before went with the parameter, and whoever had it by that lost it.
                clients.retain(|client| !client.has_put());
                continue;
            }
            let client = random.random_range(0..clients.len());
            clients[client].step(&mut parameter, rule, late, &mut random);
        }
        match clients.iter().filter(|client| client.holds()).count() {
            0 => none += 1,
            1 => {}
            _ => several += 1,
        }
    }
    (several, none)
}

#[test]
fn the_rule_never_makes_two_holders_and_each_weaker_one_does_or_leaves_none() {
    let several = |rule, anew| simulate(rule, anew, true).0;
    assert!(several(Rule::ReadBack, false) > 1_000, "whoever reads before the next one puts is fooled");
    assert_eq!(several(Rule::NextVersion, false), 0);
    assert_eq!(several(Rule::OwnNonce, false), 0);
    assert_eq!(several(Rule::Used, false), 0);

    // A number means nothing once the parameter has begun to count anew.
    assert!(several(Rule::NextVersion, true) > 10);
    assert!(several(Rule::OwnNonce, true) > 10);
    assert_eq!(several(Rule::Used, true), 0);
}

#[test]
fn somebody_gets_the_lease_where_reads_are_not_late() {
    assert!(simulate(Rule::NextVersion, false, false).1 > 1_000, "a repeated call spoils its own version");
    assert_eq!(simulate(Rule::Used, false, false), (0, 0));
}
