//! YAML documents as trees that know where each value stands.
//!
//! Bounded: [`MAX_NODES`] values, [`MAX_TEXT`] bytes of text and [`MAX_DEPTH`] levels a file, aliases expanded, so
//! that a few lines cannot become gigabytes. Plain scalars mean what they mean to kubectl.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

use super::problem::Position;

mod locate;
mod scalar;

/// Values in one file, aliases expanded.
const MAX_NODES: usize = 200_000;
/// Bytes of text in one file, aliases expanded.
const MAX_TEXT: usize = 16 << 20;
/// Levels of nesting.
const MAX_DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) data: Data,
    pub(super) at: Position,
    /// For text: how it is written and its first character in the file, to find places within it.
    written: Option<(ScalarStyle, usize)>,
}

/// JSON's values, with positions inside.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Position,
    pub(super) value: Node,
}

/// Why a file cannot be read on.
#[derive(Debug, PartialEq)]
pub(super) struct Unreadable {
    pub(super) at: Position,
    pub(super) message: String,
}

impl Node {
    /// The value of a key, when this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Data::Map(entries) = &self.data else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The text, when this is text.
    pub(super) fn text(&self) -> Option<&str> {
        if let Data::String(text) = &self.data { Some(text) } else { None }
    }

    /// The value that a path such as `spec.channels[2].filter` leads to, or the last one on the way that exists.
    pub(super) fn nearest(&self, path: &str) -> &Node {
        let mut node = self;
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let next = match (&node.data, step.strip_suffix(']')) {
                (Data::List(items), Some(index)) => index.parse().ok().and_then(|at: usize| items.get(at)),
                _ => node.get(step),
            };
            let Some(next) = next else { break };
            node = next;
        }
        node
    }

    /// Where in the file a byte of this text stands; the value's own position for anything else.
    pub(super) fn position_within(&self, file: &str, offset: usize) -> Position {
        match (&self.data, self.written) {
            (Data::String(text), Some((style, first))) => {
                locate::locate(file, first, style, text, offset).unwrap_or(self.at)
            }
            _ => self.at,
        }
    }

    /// The value alone.
    pub(super) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(number) => Value::Number(number.clone()),
            Data::String(text) => Value::String(text.clone()),
            Data::List(items) => items.iter().map(Node::to_json).collect(),
            Data::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// Values and bytes of text in this tree.
    fn size(&self) -> (usize, usize) {
        let add = |(nodes, bytes): (usize, usize), (n, b): (usize, usize)| (nodes + n, bytes + b);
        match &self.data {
            Data::String(text) => (1, text.len()),
            Data::List(items) => items.iter().map(Node::size).fold((1, 0), add),
            Data::Map(entries) => {
                entries.iter().map(|e| add(e.value.size(), (0, e.key.len()))).fold((1, 0), add)
            }
            _ => (1, 0),
        }
    }
}

/// Reads every document of a file.
///
/// Gives what could be read before the first error together with that error.
pub(super) fn documents(text: &str) -> (Vec<Node>, Option<Unreadable>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let step = match event {
            Ok((event, span)) => builder.take(event, span.start),
            Err(error) => Err(unreadable(*error.marker(), syntax(error.info()))),
        };
        if let Err(error) = step {
            return (builder.documents, Some(error));
        }
    }
    (builder.documents, None)
}

/// A list or map that is not complete yet.
struct Open {
    at: Position,
    anchor: usize,
    what: Partial,
}

enum Partial {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<(String, Position)>),
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    stack: Vec<Open>,
    anchors: std::collections::HashMap<usize, Node>,
    nodes: usize,
    bytes: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, mark: Marker) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(mark, 1, text.len())?;
                let data = scalar::resolve(&text, style, tag.as_deref()).map_err(|e| unreadable(mark, e))?;
                let written = matches!(data, Data::String(_)).then(|| (style, mark.index()));
                self.place(Node { data, at: position(mark), written }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(mark, anchor, tag.as_deref(), Partial::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.open(mark, anchor, tag.as_deref(), Partial::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(unreadable(
                        mark,
                        "an alias inside of what it stands for; write the value out",
                    ));
                };
                let (nodes, bytes) = node.size();
                self.spend(mark, nodes, bytes)?;
                let node = Node { at: position(mark), ..self.anchors[&anchor].clone() };
                self.place(node, 0)
            }
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn spend(&mut self, mark: Marker, nodes: usize, bytes: usize) -> Result<(), Unreadable> {
        self.nodes += nodes;
        self.bytes += bytes;
        if self.nodes > MAX_NODES || self.bytes > MAX_TEXT {
            let message = format!(
                "too much in one file: at most {MAX_NODES} values and {} MiB of text, aliases expanded",
                MAX_TEXT >> 20
            );
            return Err(unreadable(mark, message));
        }
        Ok(())
    }

    fn open(
        &mut self,
        mark: Marker,
        anchor: usize,
        tag: Option<&Tag>,
        what: Partial,
    ) -> Result<(), Unreadable> {
        self.spend(mark, 1, 0)?;
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            return Err(unreadable(mark, format!("tag {tag} is not known; leave it out")));
        }
        if self.stack.len() == MAX_DEPTH {
            return Err(unreadable(mark, format!("more than {MAX_DEPTH} levels deep")));
        }
        self.stack.push(Open { at: position(mark), anchor, what });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Unreadable> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let data = match open.what {
            Partial::List(items) => Data::List(items),
            Partial::Map(entries, _) => Data::Map(entries),
        };
        self.place(Node { data, at: open.at, written: None }, open.anchor)
    }

    /// Puts a complete value where it belongs.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Unreadable> {
        if anchor > 0 {
            let (nodes, bytes) = node.size();
            self.nodes += nodes;
            self.bytes += bytes;
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut().map(|open| &mut open.what) {
            None => self.documents.push(node),
            Some(Partial::List(items)) => items.push(node),
            Some(Partial::Map(entries, waiting)) => match waiting.take() {
                None => *waiting = Some(key(entries, &node)?),
                Some((key, at)) => entries.push(Entry { key, at, value: node }),
            },
        }
        Ok(())
    }
}

fn key(entries: &[Entry], node: &Node) -> Result<(String, Position), Unreadable> {
    let refuse = |message: String| Err(Unreadable { at: node.at, message });
    let name = match &node.data {
        Data::String(text) if text == "<<" => {
            return refuse("merge keys (<<) are not read here; write the fields out".to_owned());
        }
        Data::String(text) => text.clone(),
        Data::Number(number) => number.to_string(),
        Data::Bool(value) => value.to_string(),
        _ => return refuse("a key must be text".to_owned()),
    };
    if let Some(first) = entries.iter().find(|entry| entry.key == name) {
        let Position { line, column } = first.at;
        return refuse(format!("{name} stands twice in one object, first at {line}:{column}; keep one"));
    }
    Ok((name, node.at))
}

/// The parser's words, and what to do about the errors that people make.
fn syntax(info: &str) -> String {
    if info.contains("recursion limit") {
        return format!("more than {MAX_DEPTH} levels deep");
    }
    if info.contains("tab") {
        return format!("not YAML: {info}; indent with spaces");
    }
    if info.contains("block sequence entries are not allowed") {
        return format!("not YAML: {info}; a value that begins with - stands in quotes: \"-\"");
    }
    if info.contains("mapping values are not allowed") {
        return format!("not YAML: {info}; a value with a colon in it stands in quotes");
    }
    format!("not YAML: {info}")
}

fn unreadable(mark: Marker, message: impl Into<String>) -> Unreadable {
    Unreadable { at: position(mark), message: message.into() }
}

fn position(mark: Marker) -> Position {
    Position { line: mark.line().max(1), column: mark.col() + 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> Unreadable {
        documents(text).1.expect("it is refused")
    }

    #[test]
    fn every_document_is_read_up_to_the_first_that_is_not_yaml() {
        let (read, error) = documents("a: 1\n---\nb: [2, x]\n---\nc: [\n");
        let values: Vec<Value> = read.iter().map(Node::to_json).collect();
        assert_eq!(values, [serde_json::json!({"a": 1}), serde_json::json!({"b": [2, "x"]})]);
        assert_eq!(error.unwrap().at.line, 6);
    }

    #[test]
    fn a_few_lines_of_aliases_that_stand_for_gigabytes_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let before = level - 1;
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(", ")));
        }
        assert!(error(&bomb).message.starts_with("too much in one file"), "{:?}", error(&bomb));
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 40].join(", "));
        assert!(error(&long).message.starts_with("too much in one file"));
    }

    #[test]
    fn nesting_without_end_and_an_alias_inside_of_itself_are_refused() {
        for opening in ["[", "- "] {
            assert_eq!(error(&opening.repeat(100_000)).message, "more than 64 levels deep");
        }
        assert!(error("a: &a [*a]\n").message.starts_with("an alias inside"));
    }

    #[test]
    fn positions_are_counted_in_characters_behind_any_text() {
        let (read, _) = documents("\u{feff}größe: €\nx: {ä: ö, z: 7}\n");
        assert_eq!(read[0].nearest("x.z").at, Position { line: 2, column: 14 });
        assert_eq!(read[0].nearest("x.none.q").at, Position { line: 2, column: 4 });
    }

    /// A value in every style in which YAML can write it, one space of indentation more each time.
    fn written(words: &[String]) -> Vec<String> {
        let plain = words.join(" ");
        let lines = words.join("\n      ");
        vec![
            format!("é: 1\nv: '{}'\n", plain.replace('\'', "''")),
            format!("v: \"{}\"\n", plain.replace('\\', "\\\\").replace('"', "\\\"")),
            format!("v: \"\\u0020{}\\x21\"\n", plain.replace('\\', "\\\\").replace('"', "\\\"")),
            format!("v: |\n      {lines}\n"),
            format!("v: >- # folded\n      {lines}\nw: 1\n"),
            format!("l:\n  - v: |2-\n      {lines}\n"),
        ]
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[\\PC\n\t:{}\\[\\]&*|>'\"#-]{0,200}") {
            let (read, _) = documents(&text);
            for node in read {
                node.to_json();
                node.position_within(&text, 3);
            }
        }

        #[test]
        fn a_character_of_a_value_is_found_where_it_is_written(
            words in proptest::collection::vec("[!-~€ü]{1,8}", 1..5)
        ) {
            for text in written(&words) {
                let (read, _) = documents(&text);
                let Some(read) = read.first() else { continue };
                let value = read.get("v").unwrap_or_else(|| read.nearest("l[0].v"));
                let Some(content) = value.text() else { continue };
                for (offset, c) in content.char_indices().filter(|(_, c)| !c.is_whitespace()) {
                    let at = value.position_within(&text, offset);
                    let line = text.lines().nth(at.line - 1).unwrap_or_default();
                    let found = line.chars().nth(at.column - 1);
                    // An escape begins with a backslash.
                    prop_assert!(found == Some(c) || found == Some('\\'), "{c} at {at:?} of {text:?}");
                }
            }
        }
    }
}
