//! The steps to see what is read: clicks, the mouse over an element, and scrolling while rows are
//! collected.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::collect::{add_new, key_of};
use super::drive::{Clickable, Drive};
use super::fault::Fault;
use super::look::{How, Look, Want};
use super::markdown::PageMark;
use super::recipe::{ArrayPart, Reveal, Selectors};
use super::values::Reading;
use super::windows::Joined;

/// How often a list is scrolled without growing before its end is believed.
const STILL_MAX: usize = 3;
/// The most steps in which one list is scrolled.
const SCROLLS_MAX: usize = 400;
/// How often rows that do not join those before are read again: they may not be drawn yet.
const UNJOINED_MAX: usize = 5;
/// How long a page may take to draw the rows that were scrolled to, milliseconds.
const DRAW_WAIT_MS: u64 = 100;
/// How long the card of one element may take to go before the next is hovered.
const CARD_LEAVES: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Scrolled {
    alt: i64,
    height: i64,
    ended: bool,
}

/// What is collected while a list is scrolled.
struct Gathered<'r> {
    arrays: Vec<(&'r ArrayPart, Joined<Vec<Vec<String>>>)>,
    /// The blocks of the answer.
    blocks: Option<Joined<String>>,
    marks: Vec<PageMark>,
}

impl<'a> Drive<'a> {
    /// Does one step and reads what it names; whether there was anything to do it with.
    pub(super) async fn reveal(
        &mut self,
        reveal: &Reveal,
        answer: &Value,
        reading: &mut Reading,
    ) -> Result<bool, Fault> {
        let wait = Duration::from_millis(reveal.wait_ms);
        if !reveal.hover.is_empty() {
            return self.reveal_by_hover(reveal, wait, reading).await;
        }
        if !reveal.click.is_empty() && !self.reveal_by_click(reveal, wait).await? {
            return Ok(false);
        }
        if !reveal.scroll.is_empty() {
            self.scroll_to_end(reveal, wait, answer, reading).await?;
        }
        if !reveal.wait_for.is_empty() && !self.wait_for(reveal, wait).await? {
            return Ok(false);
        }
        if reveal.reads_answer && reveal.scroll.is_empty() {
            self.read_answer(answer, reading).await?;
        }
        for part in self.named(reveal) {
            self.read_array(part, reading).await?;
        }
        if !reveal.close.is_empty() {
            self.close(reveal).await?;
        }
        Ok(true)
    }

    /// The arrays that a step names.
    fn named(&self, reveal: &Reveal) -> Vec<&'a ArrayPart> {
        let recipe = self.recipe;
        recipe.arrays.iter().filter(|part| reveal.read.contains(&part.array)).collect()
    }

    async fn wait_for(&mut self, reveal: &Reveal, wait: Duration) -> Result<bool, Fault> {
        let name = format!("reveal {}: wait_for", reveal.name);
        let wants = [Want { select: &reveal.wait_for, how: How::There }];
        let found = self.wait_until(&wants, wait, Look::found).await?;
        match found {
            Some((_, alt)) => drop(self.trace.matched(name, &reveal.wait_for, alt)),
            None => self.miss(&name, &reveal.wait_for, "item").await,
        }
        Ok(found.is_some())
    }

    /// Whether there was something to click.
    async fn reveal_by_click(&mut self, reveal: &Reveal, wait: Duration) -> Result<bool, Fault> {
        let name = format!("reveal {}: click", reveal.name);
        let (mut at, mut alt) = (0, -1);
        let wants = [Want { select: &reveal.click, how: How::Usable }];
        if self.wait_until(&wants, wait, Look::found).await?.is_some() {
            loop {
                let target = self.target(&reveal.click, reveal.each, at, false).await?;
                // What was clicked may no longer be there to be clicked.
                if !target.found {
                    break;
                }
                self.click(target.point).await?;
                (at, alt) = (at + 1, target.alt);
                if !reveal.each || at >= target.count {
                    break;
                }
            }
        }
        if at == 0 {
            self.miss(&name, &reveal.click, "click").await;
            return Ok(false);
        }
        self.trace.matched(name, &reveal.click, alt).note(format!("{at} clicked"));
        Ok(true)
    }

    async fn target(
        &mut self,
        select: &Selectors,
        each: bool,
        at: usize,
        hover: bool,
    ) -> Result<Clickable, Fault> {
        let asked = json!({
            "select": select, "usable": true, "each": each, "at": at, "hover": hover,
        });
        self.ask("clickable", &asked).await
    }

    /// Moves the mouse over each match and reads what that shows, before the next takes its place;
    /// whether there was anything to hover.
    async fn reveal_by_hover(
        &mut self,
        reveal: &Reveal,
        wait: Duration,
        reading: &mut Reading,
    ) -> Result<bool, Fault> {
        let name = format!("reveal {}: hover", reveal.name);
        let parts = self.named(reveal);
        let mut found: Vec<Vec<Vec<Vec<String>>>> = vec![Vec::new(); parts.len()];
        let (mut at, mut shown, mut alt) = (0, 0, -1);
        let wants = [Want { select: &reveal.hover, how: How::Usable }];
        self.wait_until(&wants, wait, Look::found).await?;
        loop {
            let target = self.target(&reveal.hover, reveal.each, at, true).await?;
            if !target.found {
                break;
            }
            alt = target.alt;
            if let Some(point) = target.point {
                self.session.hover(point.x, point.y, &self.bounds).await?;
            }
            if self.is_seen(&reveal.wait_for, true, wait).await? {
                shown += 1;
                for (part, rows) in parts.iter().zip(&mut found) {
                    let read = self.array_now(part).await?;
                    add_new(part, rows, read.rows);
                }
            }
            self.session.hover(0, 0, &self.bounds).await?;
            self.is_seen(&reveal.wait_for, false, CARD_LEAVES).await?;
            at += 1;
            if !reveal.each || at >= target.count {
                break;
            }
        }
        if at == 0 {
            self.miss(&name, &reveal.hover, "click").await;
            return Ok(false);
        }
        self.trace.matched(name, &reveal.hover, alt);
        self.trace.note(format!("{at} hovered, {shown} have shown something"));
        for (part, rows) in parts.iter().zip(found) {
            match reading.arrays.iter_mut().find(|(known, _)| *known == part.array) {
                Some((_, known)) => add_new(part, known, rows),
                None => reading.arrays.push((part.array, rows)),
            }
        }
        Ok(true)
    }

    /// Waits until something visible matches, or, unless `wanted`, until nothing does; whether it
    /// came to that.
    async fn is_seen(
        &mut self,
        select: &Selectors,
        wanted: bool,
        wait: Duration,
    ) -> Result<bool, Fault> {
        let wants = [Want { select, how: How::Seen }];
        let done = |look: &Look| (look.found().is_some() == wanted).then_some(());
        Ok(self.wait_until(&wants, wait, done).await?.is_some())
    }

    async fn close(&mut self, reveal: &Reveal) -> Result<(), Fault> {
        let target = self.target(&reveal.close, false, 0, false).await?;
        let name = format!("reveal {}: close", reveal.name);
        if target.found {
            self.click(target.point).await?;
        }
        self.trace.matched(name, &reveal.close, target.alt);
        Ok(())
    }

    /// Scrolls from the beginning to the end and collects meanwhile, because a page may draw only
    /// the rows in view.
    async fn scroll_to_end(
        &mut self,
        reveal: &Reveal,
        wait: Duration,
        answer: &Value,
        reading: &mut Reading,
    ) -> Result<(), Fault> {
        let name = format!("reveal {}: scroll", reveal.name);
        let mut gathered = self.to_gather(reveal, reading);
        let once = json!({ "select": reveal.scroll, "wait_ms": DRAW_WAIT_MS });
        let mut to_start = once.clone();
        to_start["to_start"] = json!(true);
        let begun: Scrolled = self.ask("scroll", &to_start).await?;
        if begun.alt < 0 {
            self.miss(&name, &reveal.scroll, "item").await;
            return Ok(());
        }
        let mut bounds = self.bounds.within(wait);
        let (mut height, mut still, mut steps) = (begun.height, 0, 0);
        let whole = loop {
            let grew = self.gather(&mut gathered, answer, &once).await?;
            let step: Scrolled = self.ask("scroll", &once).await?;
            steps += 1;
            if grew || !step.ended || step.height != height {
                (still, bounds) = (0, self.bounds.within(wait));
            } else {
                still += 1;
            }
            height = step.height;
            if still >= STILL_MAX || step.alt < 0 || bounds.left().is_zero() {
                break true;
            }
            if steps >= SCROLLS_MAX {
                break false;
            }
        };
        self.trace.matched(name, &reveal.scroll, begun.alt);
        self.trace.note(format!("{steps} steps"));
        self.take_gathered(gathered, whole, answer, reading).await
    }

    /// The arrays that a step collects while it scrolls: those that it names, or else those that no
    /// step does.
    fn to_gather(&self, reveal: &Reveal, reading: &Reading) -> Gathered<'a> {
        let recipe = self.recipe;
        let is_named =
            |part: &ArrayPart| recipe.reveal.iter().any(|reveal| reveal.read.contains(&part.array));
        let names_none = reveal.read.is_empty() && !reveal.reads_answer;
        let is_wanted = |part: &&ArrayPart| {
            let was_read = reading.arrays.iter().any(|(known, _)| *known == part.array);
            let wanted = reveal.read.contains(&part.array) || (names_none && !is_named(part));
            wanted && !was_read
        };
        Gathered {
            arrays: recipe
                .arrays
                .iter()
                .filter(is_wanted)
                .map(|it| (it, Joined::default()))
                .collect(),
            blocks: reveal.reads_answer.then(Joined::default),
            marks: Vec::new(),
        }
    }

    /// Collects what is drawn now; whether there was anything new. `drawing` is what the page is
    /// asked to wait for it by.
    async fn gather(
        &mut self,
        to: &mut Gathered<'a>,
        answer: &Value,
        drawing: &Value,
    ) -> Result<bool, Fault> {
        let mut grew = false;
        for (part, joined) in &mut to.arrays {
            for read in 0.. {
                let rows = self.array_now(part).await?.rows;
                let rows: Vec<_> = rows.into_iter().map(|row| (key_of(part, &row), row)).collect();
                if joined.meets(&rows) || read >= UNJOINED_MAX {
                    grew |= joined.add(rows);
                    break;
                }
                let () = self.ask("draw", drawing).await?;
            }
        }
        let Some(joined) = &mut to.blocks else { return Ok(grew) };
        for read in 0.. {
            let part = self.answer_now(answer, true, to.marks.len()).await?;
            if joined.meets(&part.blocks) || read >= UNJOINED_MAX {
                to.marks.extend(part.marks);
                grew |= joined.add(part.blocks);
                break;
            }
            let () = self.ask("draw", drawing).await?;
        }
        Ok(grew)
    }

    async fn take_gathered(
        &mut self,
        gathered: Gathered<'a>,
        whole: bool,
        answer: &Value,
        reading: &mut Reading,
    ) -> Result<(), Fault> {
        for (part, joined) in gathered.arrays {
            // What matches nowhere is read, and told, as if nothing had been scrolled.
            if joined.is_empty() {
                continue;
            }
            let now = self.array_now(part).await?;
            self.note_array(part, &now).await;
            let name = part.array.name();
            self.trace.note(format!("{} entries while it was scrolled", joined.len()));
            let doubt = doubt(&format!("the list `{name}`"), &joined, whole);
            reading.warnings.extend(doubt);
            reading.arrays.push((part.array, joined.into_rows()));
        }
        let Some(joined) = gathered.blocks.filter(|joined| !joined.is_empty()) else {
            return Ok(());
        };
        self.read_answer(answer, reading).await?;
        self.trace.note(format!("{} blocks while it was scrolled", joined.len()));
        reading.forget_hollow();
        reading.warnings.extend(doubt("the answer", &joined, whole));
        reading.html = joined.into_rows().concat();
        reading.marks = gathered.marks;
        Ok(())
    }
}

/// Says what a reader should know of a list that was collected while it was scrolled.
fn doubt<T>(what: &str, joined: &Joined<T>, whole: bool) -> Option<String> {
    if joined.gaps > 0 {
        let times = joined.gaps;
        return Some(format!(
            "The page recycles the rows of {what}, and {times} parts of it did not join: some may \
             be missing."
        ));
    }
    if !whole {
        return Some(format!("The end of {what} was not reached in {SCROLLS_MAX} steps."));
    }
    joined.is_recycled.then(|| {
        format!("The page recycles the rows of {what}: they were collected while it was scrolled.")
    })
}
