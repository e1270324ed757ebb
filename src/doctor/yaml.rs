//! YAML and JSON as a tree that knows its lines: what Compose, .ebextensions and Dockerrun files are written in.
//!
//! An alias is the node that it stands for, shared and never copied, so that no file grows by being read.

use granit_parser::{Event, Parser, StrInput};
use std::collections::BTreeMap;
use std::rc::Rc;
use zeroize::Zeroizing;

/// A node, and the line that it begins in.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) line: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text(Zeroizing<String>),
    List(Vec<Rc<Node>>),
    Map(Vec<(String, Rc<Node>)>),
}

/// The first document of a text; the line of what is wrong with it otherwise.
pub(crate) fn read(text: &str) -> Result<Rc<Node>, usize> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: BTreeMap::new() };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (Event::StreamEnd | Event::DocumentEnd, line) => return Ok(empty(line)),
            (event, line) => return reader.node(event, line),
        }
    }
}

fn empty(line: usize) -> Rc<Node> {
    Rc::new(Node { line, kind: Kind::Text(Zeroizing::default()) })
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Rc<Node>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, usize), usize> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(error.marker().line()),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn node(&mut self, event: Event<'a>, line: usize) -> Result<Rc<Node>, usize> {
        let (kind, anchor) = match event {
            Event::Alias(id) => return Ok(self.anchors.get(&id).cloned().unwrap_or_else(|| empty(line))),
            Event::Scalar(text, _, anchor, _) => (Kind::Text(Zeroizing::new(text.into_owned())), anchor),
            Event::SequenceStart(_, anchor, _) => (self.list()?, anchor),
            Event::MappingStart(_, anchor, _) => (self.map()?, anchor),
            _ => return Err(line),
        };
        let node = Rc::new(Node { line, kind });
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<Kind, usize> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::List(items)),
                (event, line) => items.push(self.node(event, line)?),
            }
        }
    }

    fn map(&mut self) -> Result<Kind, usize> {
        let mut entries = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Kind::Map(entries)),
                (event, line) => self.node(event, line)?,
            };
            let (event, line) = self.next()?;
            let value = self.node(event, line)?;
            entries.push((key.text().unwrap_or_default().to_owned(), value));
        }
    }
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> &[Rc<Node>] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Text(_) | Kind::Map(_) => &[],
        }
    }

    /// The entries of a map.
    pub(crate) fn entries(&self) -> &[(String, Rc<Node>)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Text(_) | Kind::List(_) => &[],
        }
    }

    /// The entries of a map, those that it merges in with `<<` behind its own.
    pub(crate) fn merged(&self) -> Vec<(&str, &Node)> {
        let (mut found, mut sources): (Vec<(&str, &Node)>, Vec<&Node>) = (Vec::new(), Vec::new());
        for (name, node) in self.entries() {
            match name.as_str() {
                "<<" if node.items().is_empty() => sources.push(node),
                "<<" => sources.extend(node.items().iter().map(Rc::as_ref)),
                name => found.push((name, node)),
            }
        }
        for (name, node) in sources.into_iter().flat_map(Node::merged) {
            if !found.iter().any(|(known, _)| *known == name) {
                found.push((name, node));
            }
        }
        found
    }

    /// The entry of a map with this name, its own or one that it merges in with `<<`.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        let own = self.entries().iter().find(|(key, _)| key == name);
        own.map(|(_, node)| node.as_ref()).or_else(|| {
            let merged = self.entries().iter().filter(|(key, _)| key == "<<").map(|(_, node)| node);
            let sources = merged.flat_map(|node| match node.items() {
                [] => vec![node.as_ref()],
                items => items.iter().map(Rc::as_ref).collect(),
            });
            sources.into_iter().find_map(|source| source.get(name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_merged_or_referred_to_is_where_it_is_written() {
        let text = "x: &a\n  env_file: [one, two]\nservices:\n  web: { <<: *a, image: i }\n";
        let root = read(text).unwrap();
        let web = root.get("services").unwrap().get("web").unwrap();
        let files: Vec<_> = web.get("env_file").unwrap().items().iter().map(|node| node.text()).collect();
        assert_eq!(files, [Some("one"), Some("two")]);
        assert_eq!(web.get("env_file").unwrap().line, 2);
        assert!(web.get("ports").is_none());
    }

    #[test]
    fn json_is_read_too_and_what_is_broken_tells_its_line() {
        let root = read("{\n\t\"a\": [{\"name\": \"N\",\n\t\"value\": \"v\"}]\n}\n").unwrap();
        let item = &root.get("a").unwrap().items()[0];
        assert_eq!((item.get("value").unwrap().text(), item.get("value").unwrap().line), (Some("v"), 3));
        assert_eq!(read("a: [1\nb: }\n").unwrap_err(), 2);
        assert!(read("").unwrap().entries().is_empty());
    }
}
