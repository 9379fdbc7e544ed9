//! A list as rows and columns: with a header and cut to the width of a terminal, with whole values
//! between tabs everywhere else.

use super::console::{Console, OutputError, Style, Styled, printable};
use super::text_width::{cut, width, wrapped};
use crate::clock::{Clock, UnixMs, parse_moment};

/// The columns of a terminal that does not say how many it has.
const COLUMNS_DEFAULT: usize = 80;
/// The space between two columns.
const GAP: &str = "  ";
/// The least that a column is cut to, characters.
const CUT_CHARS_MIN: usize = 6;
/// What is left of an id where not even the shortest columns leave room for it, characters.
const ID_CHARS: usize = 8;

/// The kind of a column, which decides how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnKind {
    /// Whole, unless nothing else can be cut any more.
    Id,
    /// RFC 3339 for programs; how long ago for people.
    Time,
    Number,
    /// Never cut.
    Word,
    Text,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    name: &'static str,
    kind: ColumnKind,
}

impl Column {
    pub(crate) const fn id(name: &'static str) -> Column {
        Column { name, kind: ColumnKind::Id }
    }

    pub(crate) const fn time(name: &'static str) -> Column {
        Column { name, kind: ColumnKind::Time }
    }

    pub(crate) const fn number(name: &'static str) -> Column {
        Column { name, kind: ColumnKind::Number }
    }

    pub(crate) const fn word(name: &'static str) -> Column {
        Column { name, kind: ColumnKind::Word }
    }

    pub(crate) const fn text(name: &'static str) -> Column {
        Column { name, kind: ColumnKind::Text }
    }
}

/// A value of a row.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    /// Creates a cell that has a color where there are colors.
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Cell {
        Cell { text: text.into(), style: Some(style) }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell { text: text.to_string(), style: None }
    }
}

/// The audience of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audience {
    Program,
    /// A terminal of this width, at a moment.
    Terminal {
        columns: usize,
        now_ms: UnixMs,
    },
}

impl Audience {
    /// Returns who reads the tables on a console's stdout.
    pub(crate) fn of(console: &Console) -> Audience {
        if !console.out_is_terminal() {
            return Audience::Program;
        }
        let size = rustix::termios::tcgetwinsize(std::io::stdout());
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        let columns = if columns == 0 { COLUMNS_DEFAULT } else { columns };
        Audience::Terminal { columns, now_ms: Clock::System.now_ms() }
    }
}

/// Rows of cells below named columns.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<(Vec<Cell>, Vec<String>)>,
    always_named: bool,
}

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new(), always_named: false }
    }

    /// Names the columns for programs as well: for a table that is part of a report.
    pub(crate) fn always_named(self) -> Table {
        Table { always_named: true, ..self }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.row_with_notes(cells, Vec::new());
    }

    /// Adds a row with sentences about it: below it on a terminal, as further cells elsewhere.
    pub(crate) fn row_with_notes(
        &mut self,
        cells: impl IntoIterator<Item = Cell>,
        notes: Vec<String>,
    ) {
        self.rows.push((cells.into_iter().collect(), notes));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it to stdout; nothing where there is no row.
    ///
    /// # Errors
    /// Returns an error if stdout cannot be written to.
    pub(crate) fn print(&self, console: &mut Console) -> Result<(), OutputError> {
        if self.is_empty() {
            return Ok(());
        }
        let text = self.text(Audience::of(console), console.styled());
        console.result(&text)
    }

    /// Returns the lines; empty where there is no row.
    pub(crate) fn text(&self, audience: Audience, styled: Styled) -> String {
        match audience {
            _ if self.is_empty() => String::new(),
            Audience::Program => self.for_programs(),
            Audience::Terminal { columns, now_ms } => {
                self.without_empty_columns().for_people(columns, now_ms, styled)
            }
        }
    }

    fn for_programs(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        let header = self.always_named.then(|| names.join("\t"));
        let rows = self.rows.iter().map(|(cells, notes)| {
            let cells = cells.iter().map(|cell| &cell.text).chain(notes);
            cells.map(|text| one_line(text)).collect::<Vec<_>>().join("\t")
        });
        header.into_iter().chain(rows).map(|line| line + "\n").collect()
    }

    /// Returns the same without the columns that no row has anything in.
    fn without_empty_columns(&self) -> Table {
        let is_used = |at: &usize| {
            self.rows.iter().any(|(cells, _)| cells.get(*at).is_some_and(|it| !it.text.is_empty()))
        };
        let used: Vec<usize> = (0..self.columns.len()).filter(is_used).collect();
        let columns = used.iter().map(|at| self.columns[*at]).collect();
        let kept = |cells: &[Cell]| used.iter().filter_map(|at| cells.get(*at).cloned()).collect();
        let rows = self.rows.iter().map(|(cells, notes)| (kept(cells), notes.clone())).collect();
        Table { columns, rows, always_named: self.always_named }
    }

    fn for_people(&self, columns: usize, now_ms: UnixMs, styled: Styled) -> String {
        let shown = |(at, cell): (usize, &Cell)| {
            let is_time = self.columns.get(at).is_some_and(|it| it.kind == ColumnKind::Time);
            let text = one_line(&cell.text);
            let text = if is_time { relative(&text, now_ms) } else { text };
            Cell { text, style: cell.style }
        };
        let rows: Vec<Vec<Cell>> = self
            .rows
            .iter()
            .map(|(cells, _)| cells.iter().enumerate().map(shown).collect())
            .collect();
        let widths = self.widths(&rows, columns);
        let header: Vec<Cell> =
            self.columns.iter().map(|column| Cell::styled(column.name, Style::Heading)).collect();
        let mut text = self.line(&header, &widths, styled);
        for (cells, (_, notes)) in rows.iter().zip(&self.rows) {
            text.push_str(&self.line(cells, &widths, styled));
            let indent = widths.first().copied().unwrap_or_default() + GAP.len();
            let room = columns.saturating_sub(indent).max(CUT_CHARS_MIN);
            for line in notes.iter().flat_map(|note| wrapped(&one_line(note), room)) {
                text.push_str(&format!("{:indent$}{line}\n", ""));
            }
        }
        text
    }

    /// The width of each column, so that a row fits into `columns` where that can be.
    fn widths(&self, rows: &[Vec<Cell>], columns: usize) -> Vec<usize> {
        let of = |(at, column): (usize, &Column)| {
            let cells = rows.iter().filter_map(|cells| cells.get(at));
            cells.map(|cell| width(&cell.text)).max().unwrap_or_default().max(width(column.name))
        };
        let natural: Vec<usize> = self.columns.iter().enumerate().map(of).collect();
        let gaps = GAP.len() * natural.len().saturating_sub(1);
        let room = columns.saturating_sub(gaps);
        let widths = self.narrowed(natural.clone(), room);
        if widths.iter().sum::<usize>() <= room {
            return widths;
        }
        let without_ids = self.columns.iter().zip(natural).map(|(column, width)| {
            if column.kind == ColumnKind::Id { width.min(ID_CHARS + 1) } else { width }
        });
        self.narrowed(without_ids.collect(), room)
    }

    /// Takes from the widest texts until all columns together fit, or no text can be cut any more.
    fn narrowed(&self, mut widths: Vec<usize>, room: usize) -> Vec<usize> {
        let least = |at: usize| width(self.columns[at].name).max(CUT_CHARS_MIN);
        let is_text = |at: &usize| self.columns[*at].kind == ColumnKind::Text;
        while widths.iter().sum::<usize>() > room {
            let cuttable = (0..widths.len()).filter(is_text).filter(|at| widths[*at] > least(*at));
            let Some(widest) = cuttable.max_by_key(|at| widths[*at]) else { break };
            widths[widest] -= 1;
        }
        widths
    }

    fn line(&self, cells: &[Cell], widths: &[usize], styled: Styled) -> String {
        let mut line = String::new();
        // Nothing is padded behind the last text.
        let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or_default();
        for (at, cell) in cells.iter().enumerate().take(last + 1) {
            let room = widths.get(at).copied().unwrap_or_default();
            let text = cut(&cell.text, room);
            let padding = " ".repeat(room.saturating_sub(width(&text)));
            let text = cell.style.map_or(text.clone(), |style| styled.apply(style, &text));
            if at > 0 {
                line.push_str(GAP);
            }
            match self.columns.get(at).map(|column| column.kind) {
                Some(ColumnKind::Number) => line.push_str(&format!("{padding}{text}")),
                _ if at == last => line.push_str(&text),
                _ => line.push_str(&format!("{text}{padding}")),
            }
        }
        line + "\n"
    }
}

/// Returns text without what would break a row, or what a terminal would obey.
fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ").trim().to_owned()
}

/// Returns how long ago a time is, or in how long it comes; text that is no time stays as it is.
fn relative(text: &str, now_ms: UnixMs) -> String {
    let Some(moment) = parse_moment(text).filter(|_| text.contains('T')) else {
        return text.to_owned();
    };
    let seconds = now_ms.abs_diff(moment.first_ms) / 1_000;
    let span = match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    };
    if moment.first_ms > now_ms { format!("in {span}") } else { format!("{span} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: UnixMs = 1_778_500_800_000;

    fn jobs() -> Table {
        let mut table = Table::new(&[
            Column::id("id"),
            Column::time("submitted"),
            Column::word("status"),
            Column::text("scraper"),
            Column::number("credits"),
            Column::text("prompt"),
        ]);
        let id = "0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10";
        for (at, status, scraper, credits, prompt) in [
            ("2026-05-11T11:58:10+00:00", "done", "google_ai_mode", 3, "What is\tit?\u{1b}[2J"),
            ("2026-05-11T13:00:00+00:00", "pending", "chatgpt", 12, "東京で一番おいしい店はどこ"),
        ] {
            let cells: [Cell; 6] = [
                id.into(),
                at.into(),
                status.into(),
                scraper.into(),
                credits.into(),
                prompt.into(),
            ];
            table.row(cells);
        }
        table
    }

    fn at(columns: usize) -> String {
        jobs().text(Audience::Terminal { columns, now_ms: NOW_MS }, Styled::PLAIN)
    }

    #[test]
    fn a_wide_terminal_shows_everything_below_a_header() {
        let text = at(200);
        assert!(
            text.starts_with("id                                    submitted  status "),
            "{text}"
        );
        assert!(text.contains("  google_ai_mode        3  What is it?[2J\n"), "{text}");
        assert!(
            text.ends_with("  chatgpt              12  東京で一番おいしい店はどこ\n"),
            "{text}"
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_texts_and_keeps_ids_whole() {
        let text = at(92);
        insta::assert_snapshot!(text, @"
        id                                    submitted  status   scraper       credits  prompt
        0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10  1m ago     done     google_ai_m…        3  What is it…
        0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10  in 1h      pending  chatgpt            12  東京で一番…
        ");
        assert!(text.lines().all(|line| width(line) <= 92), "{text}");
        assert!(at(60).lines().all(|line| width(line) <= 60), "{}", at(60));
        assert!(at(60).contains("0b7c1e0e…"), "{}", at(60));
        // What cannot fit is shown all the same.
        assert_eq!(at(3).lines().count(), 3);
    }

    #[test]
    fn a_list_of_jobs_without_labels_keeps_its_ids_at_80_columns() {
        let mut table = Table::new(&[
            Column::id("id"),
            Column::time("when"),
            Column::word("status"),
            Column::text("scraper"),
            Column::text("label"),
            Column::text("prompt"),
        ]);
        let id = "0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10";
        let at = "2026-05-11T11:18:10+00:00";
        for label in ["", "nightly run of the team"] {
            let prompt = "latest stable Ruby version";
            let cells: [Cell; 6] =
                [id, at, "pending", "google_ai_mode", label, prompt].map(Cell::from);
            table.row(cells);
            let audience = Audience::Terminal { columns: 80, now_ms: NOW_MS };
            let text = table.text(audience, Styled::PLAIN);
            assert!(text.lines().all(|line| width(line) <= 80), "{text}");
            assert_eq!(text.matches(id).count(), text.lines().count() - 1, "{text}");
            assert_eq!(text.contains("  label  "), !label.is_empty(), "{text}");
        }
    }

    #[test]
    fn programs_get_whole_values_between_tabs() {
        let text = jobs().text(Audience::Program, Styled::PLAIN);
        let first = "0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10\t2026-05-11T11:58:10+00:00\tdone\t\
                     google_ai_mode\t3\tWhat is it?[2J\n";
        assert!(text.starts_with(first), "{text}");
        assert_eq!(text.lines().count(), 2);
        let named = jobs().always_named().text(Audience::Program, Styled::PLAIN);
        assert!(named.starts_with("id\tsubmitted\tstatus\t"), "{named}");
        assert_eq!(Table::new(&[Column::id("id")]).text(Audience::Program, Styled::PLAIN), "");
    }

    #[test]
    fn notes_stand_below_their_row_and_break_between_words() {
        let mut table = Table::new(&[Column::text("name"), Column::word("state")]);
        let note = "set the variable OPENAI_API_KEY for it".to_owned();
        table.row_with_notes(["chatgpt".into(), Cell::styled("bad", Style::Bad)], vec![note]);
        let audience = Audience::Terminal { columns: 34, now_ms: NOW_MS };
        insta::assert_snapshot!(table.text(audience, Styled::PLAIN), @"
        name     state
        chatgpt  bad
                 set the variable
                 OPENAI_API_KEY for it
        ");
        let text = table.text(Audience::Program, Styled::PLAIN);
        assert_eq!(text, "chatgpt\tbad\tset the variable OPENAI_API_KEY for it\n");
    }

    #[test]
    fn times_are_relative_to_now() {
        for (text, shown) in [
            ("2026-05-11T12:00:00+00:00", "0s ago"),
            ("2026-05-11T11:59:01+00:00", "59s ago"),
            ("2026-05-11T11:00:00+00:00", "1h ago"),
            ("2026-05-01T12:00:00+00:00", "10d ago"),
            ("2026-05-11T12:05:00+00:00", "in 5m"),
            ("no run yet", "no run yet"),
            ("2026-05-11", "2026-05-11"),
            ("", ""),
        ] {
            assert_eq!(relative(text, NOW_MS), shown);
        }
    }
}
