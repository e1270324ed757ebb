//! Tables as values: drawn for a terminal, aligned for a pipe.
//!
//! The aligned form is stable: a header in capitals, columns apart by at least two spaces, `-` for an empty cell, no
//! line ever wrapped. Programs read `--json`. It never prints.

use super::ui::shown;
use comfy_table::{Attribute, Cell as Drawn, Color, ContentArrangement, LineStyle, TableStyle};

/// A line under the header and nothing else.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Below so many columns nothing is wrapped to them.
const NARROWEST: u16 = 40;

/// A table with one row per thing.
#[derive(Debug)]
pub(super) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// How a cell looks on a terminal; its text says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As everything else.
    Plain,
    /// As it should be.
    Good,
    /// Differs, or will change.
    Notable,
    /// Wrong or missing.
    Bad,
    /// There for completeness.
    Faint,
}

/// A piece of text, escaped, with its tone.
#[derive(Debug)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell in that tone.
    pub(super) fn new(text: &str, tone: Tone) -> Cell {
        Cell { text: shown(text), tone }
    }

    /// A cell as everything else.
    pub(super) fn plain(text: &str) -> Cell {
        Cell::new(text, Tone::Plain)
    }
}

impl Table {
    /// An empty table; its columns are named in small letters.
    pub(super) fn new<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
        Table { header: header.into_iter().map(shown).collect(), rows: Vec::new() }
    }

    /// Adds a row, with as many cells as there are columns.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// For a terminal: ruled, and wrapped to its width.
    pub(super) fn drawn(&self, paint: bool) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(RULED);
        // A terminal may say that it has no columns at all, and in a few of them a wrapped table cannot be read.
        if table.width().is_some_and(|width| width >= NARROWEST) {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        if paint {
            table.enforce_styling();
        }
        let heading = |name: &String| {
            if paint { Drawn::new(name).add_attribute(Attribute::Bold) } else { Drawn::new(name) }
        };
        table.set_header(self.header.iter().map(heading));
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| cell.drawn(paint)));
        }
        table.trim_fmt()
    }

    /// For a pipe.
    pub(super) fn aligned(&self) -> String {
        let header: Vec<String> =
            self.header.iter().map(|name| name.to_uppercase().replace(' ', "-")).collect();
        let rows: Vec<Vec<&str>> = std::iter::once(header.iter().map(String::as_str).collect())
            .chain(self.rows.iter().map(|row| row.iter().map(Cell::or_dash).collect()))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let mut text = String::new();
        for row in &rows {
            let line: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

impl Cell {
    fn or_dash(&self) -> &str {
        if self.text.is_empty() { "-" } else { &self.text }
    }

    fn drawn(&self, paint: bool) -> Drawn {
        let cell = Drawn::new(&self.text);
        match self.tone {
            _ if !paint => cell,
            Tone::Plain => cell,
            Tone::Good => cell.fg(Color::Green),
            Tone::Notable => cell.fg(Color::Yellow),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Faint => cell.add_attribute(Attribute::Dim),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_pipe_columns_are_aligned_and_nothing_is_empty_or_wrapped() {
        let mut table = Table::new(["key", "lives in", "description"]);
        table.row([Cell::plain("A"), Cell::new("home", Tone::Good), Cell::plain("")]);
        table.row([Cell::plain("LONGER_NAME"), Cell::plain("manifest"), Cell::plain("x\n\u{1b}y")]);
        assert_eq!(
            table.aligned(),
            "KEY          LIVES-IN  DESCRIPTION\n\
             A            home      -\n\
             LONGER_NAME  manifest  x\\n\\u{1b}y\n"
        );
    }
}
