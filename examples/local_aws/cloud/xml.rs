//! Text and elements of the XML that query services answer with.

/// Text as it stands between tags; whitespace survives.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            other => out.push(other),
        }
    }
    out
}

/// An element with text in it.
pub(crate) fn text(name: &str, text: &str) -> String {
    element(name, &escaped(text))
}

/// An element with XML in it.
pub(crate) fn element(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// A list as the query protocol writes it: each XML in a `member`.
pub(crate) fn list(name: &str, members: impl IntoIterator<Item = String>) -> String {
    let members: String = members.into_iter().map(|member| element("member", &member)).collect();
    element(name, &members)
}
