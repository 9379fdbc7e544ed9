//! Drives a page as a recipe says, from its address to the end of its answer. What is read then is
//! in `collect`.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::bounds::Bounds;
use super::fault::Fault;
use super::look::{How, Look, Point, Question, Want};
use super::recipe::{Key, Prepare, PromptBox, Recipe, Selectors, Submit};
use super::session::Session;
use super::steps::Trace;
use super::values::Values;
use crate::catalog::Array;
use crate::clock::Clock;
use crate::job::Reason;

/// How long a banner that was clicked may take to go.
const DISMISSED_WAIT: Duration = Duration::from_millis(250);
/// How often a banner is clicked before it is let be.
const DISMISSALS_MAX: usize = 5;
/// The longest answer, characters.
const ANSWER_CHARS_MAX: usize = 1 << 20;
/// How often the memory of the browser is looked at.
const CARE_EVERY: Duration = Duration::from_secs(10);
/// How often a page that tells of nothing is looked at: what is only drawn differently it does not
/// hear of, and it may hang.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long a document that has taken the place of one with an answer may take to show it.
const MOVED_WAIT: Duration = Duration::from_secs(5);
/// How long an editor may take to take over what was typed.
const TYPED_WAIT: Duration = Duration::from_millis(200);
/// The keys of WebDriver (W3C WebDriver, section 17.4.2).
const ENTER: char = '\u{e007}';
const END: char = '\u{e010}';

/// One attempt in one session.
pub(crate) struct Drive<'a> {
    pub recipe: &'a Recipe,
    pub session: &'a mut Session,
    pub bounds: Bounds,
    pub trace: &'a mut Trace,
    pub clock: &'a Clock,
    /// The most memory that the browser may take, bytes.
    pub memory_bytes_max: u64,
    pub prompt: &'a str,
    question: Question,
    /// How often each banner was clicked.
    dismissed: Vec<usize>,
    /// A banner was clicked, and may be gone at once.
    has_clicked: bool,
    cared_at: Instant,
    /// What was read of arrays while the answer is written.
    pub(super) running: Vec<(Array, Vec<Values>)>,
}

/// The parts of an attempt.
pub(crate) struct Attempt<'a> {
    pub recipe: &'a Recipe,
    pub session: &'a mut Session,
    pub bounds: Bounds,
    pub trace: &'a mut Trace,
    pub clock: &'a Clock,
    pub memory_bytes_max: u64,
    pub prompt: &'a str,
}

/// What was typed.
#[derive(Deserialize)]
struct Typed {
    same: bool,
    chars: usize,
}

#[derive(Deserialize)]
struct Focused {
    alt: i64,
    point: Option<Point>,
}

#[derive(Deserialize)]
pub(super) struct Clickable {
    pub alt: i64,
    /// How many there are to click.
    pub count: usize,
    pub found: bool,
    pub point: Option<Point>,
}

impl<'a> Drive<'a> {
    pub(crate) fn new(attempt: Attempt<'a>) -> Drive<'a> {
        let Attempt { recipe, session, bounds, trace, clock, memory_bytes_max, prompt } = attempt;
        Drive {
            question: Question::new(recipe, prompt),
            dismissed: vec![0; recipe.dismiss.len()],
            has_clicked: false,
            cared_at: clock.instant(),
            running: Vec::new(),
            recipe,
            session,
            bounds,
            trace,
            clock,
            memory_bytes_max,
            prompt,
        }
    }

    /// Drives the page from its address to the end of its answer; returns what to find the answer
    /// by.
    ///
    /// # Errors
    /// Returns the reason why there is none.
    pub(crate) async fn reach_answer(&mut self, url: &str) -> Result<Value, Fault> {
        let opened = self.session.open(url, &self.bounds).await;
        self.trace.done("open the page");
        opened?;
        self.session.browser.prepare();
        for step in &self.recipe.prepare {
            self.prepare(step).await?;
        }
        if !self.recipe.frame.is_empty() && !self.session.is_in_frame() {
            self.enter_frame().await?;
        }
        if let (Some(prompt_box), Some(submit)) = (&self.recipe.prompt, &self.recipe.submit) {
            self.wait_for_box(prompt_box).await?;
            self.type_prompt(prompt_box).await?;
            let baseline = self.ask("baseline", &self.question.answer()).await?;
            let since: f64 = self.ask("now", &Value::Null).await?;
            self.question.sent(baseline, since);
            self.submit(submit, prompt_box).await?;
        }
        self.wait_for_answer().await?;
        self.question.answered();
        Ok(self.question.answer())
    }

    /// Calls a function of the page's script and tells of the dialogs that were in its way.
    pub(super) async fn ask<T: serde::de::DeserializeOwned>(
        &mut self,
        function: &str,
        argument: &Value,
    ) -> Result<T, Fault> {
        let given = self.session.call(function, argument, &self.bounds).await;
        for text in self.session.take_dialogs() {
            self.trace.done("dismiss a dialog").note(text);
        }
        given
    }

    /// Waits until the page has changed, at most for `at_most`, and looks at it; at once where it
    /// was not asked yet.
    async fn next_look(&mut self, at_most: Duration) -> Result<Look, Fault> {
        if self.question.is_new {
            return self.look().await;
        }
        let at_most = if self.has_clicked { DISMISSED_WAIT } else { at_most.min(HEARTBEAT) };
        match self.session.change(at_most, &self.bounds).await? {
            Some(look) => self.weigh(look).await,
            None => self.look().await,
        }
    }

    /// Waits until `done` returns something of a look in which no banner is in the way; `None`
    /// after `wait`. The page tells of `wants`.
    pub(super) async fn wait_until<T>(
        &mut self,
        wants: &[Want<'_>],
        wait: Duration,
        done: impl Fn(&Look) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let bounds = self.bounds.within(wait);
        self.question.want(wants);
        loop {
            let look = self.next_look(bounds.left()).await?;
            if look.dismiss.is_none()
                && let Some(found) = done(&look)
            {
                return Ok(Some(found));
            }
            if bounds.left().is_zero() {
                return Ok(None);
            }
        }
    }

    /// Looks at the page now.
    async fn look(&mut self) -> Result<Look, Fault> {
        self.question.is_new = false;
        let look = self.session.watch(self.question.asked(), &self.bounds).await;
        for text in self.session.take_dialogs() {
            self.trace.done("dismiss a dialog").note(text);
        }
        self.weigh(look?).await
    }

    /// Clicks a banner away, and ends when the page shows that there will be no answer.
    async fn weigh(&mut self, look: Look) -> Result<Look, Fault> {
        self.question.check(&look)?;
        self.has_clicked = look.dismiss.is_some();
        if let Some(banner) = &look.dismiss {
            if let Some(point) = banner.point {
                self.session.click(point.x, point.y, &self.bounds).await?;
            }
            if let Some(known) = self.recipe.dismiss.get(banner.index) {
                let name = format!("dismiss {}", known.name);
                self.trace.matched(name, &known.click, banner.alt);
            }
            if let Some(times) = self.dismissed.get_mut(banner.index) {
                *times += 1;
                if *times >= DISMISSALS_MAX {
                    self.question.forget_banner(banner.index);
                }
            }
        }
        self.care().await?;
        Ok(look)
    }

    /// Closes windows that the page has opened, and ends an attempt that fills the memory.
    async fn care(&mut self) -> Result<(), Fault> {
        let closed = self.session.close_other_windows(&self.bounds).await?;
        if closed > 0 {
            self.trace.done("close windows").note(format!("{closed} that the page has opened"));
        }
        let now = self.clock.instant();
        if now.saturating_duration_since(self.cared_at) < CARE_EVERY {
            return Ok(());
        }
        self.cared_at = now;
        self.session.browser.end_large_page(self.memory_bytes_max);
        Ok(())
    }

    async fn enter_frame(&mut self) -> Result<(), Fault> {
        let wait_ms = self.recipe.prompt.as_ref().map_or(15_000, |prompt| prompt.wait_ms);
        let frame = &self.recipe.frame;
        let wants = [Want { select: frame, how: How::Seen }];
        let wait = Duration::from_millis(wait_ms);
        let found = self.wait_until(&wants, wait, Look::found).await?;
        if found.is_none() || !self.session.enter_frame(frame, &self.bounds).await? {
            return Err(self.outdated("frame", frame, "frame").await);
        }
        self.trace.done("enter the frame");
        Ok(())
    }

    /// Clicks what has to be clicked before; a page that has no such thing does without. It is
    /// looked for in the page until the frame is there, which a click may bring, and then in it.
    async fn prepare(&mut self, step: &Prepare) -> Result<(), Fault> {
        let name = format!("prepare {}", step.name);
        let bounds = self.bounds.within(Duration::from_millis(step.wait_ms));
        let frame = &self.recipe.frame;
        loop {
            let mut wants = vec![Want { select: &step.click, how: How::Usable }];
            if !frame.is_empty() && !self.session.is_in_frame() {
                wants.push(Want { select: frame, how: How::Seen });
            }
            match self.wait_until(&wants, bounds.left(), Look::found).await? {
                Some((0, _)) => {
                    if self.click_one(&name, &step.click).await? {
                        return Ok(());
                    }
                }
                Some(_) => {
                    if self.session.enter_frame(frame, &self.bounds).await? {
                        self.trace.done("enter the frame");
                    }
                }
                None => {
                    self.miss(&name, &step.click, "click").await;
                    return Ok(());
                }
            }
        }
    }

    /// Clicks the first thing that can be; returns whether there was one.
    async fn click_one(&mut self, name: &str, select: &Selectors) -> Result<bool, Fault> {
        let asked = json!({ "select": select, "usable": true });
        let target: Clickable = self.ask("clickable", &asked).await?;
        if target.found {
            self.click(target.point).await?;
            self.trace.matched(name, select, target.alt);
        }
        Ok(target.found)
    }

    async fn wait_for_box(&mut self, prompt_box: &PromptBox) -> Result<(), Fault> {
        let wait = Duration::from_millis(prompt_box.wait_ms);
        let there = |look: &Look| (look.r#box >= 0).then_some(look.r#box);
        if let Some(alt) = self.wait_until(&[], wait, there).await? {
            self.trace.matched("prompt.box", &prompt_box.r#box, alt);
            return Ok(());
        }
        if self.look().await?.is_loading() {
            let sentence = "did not load: it has nothing yet that `prompt.box` names";
            return Err(Fault::page(Reason::UpstreamTimeout, sentence));
        }
        Err(self.outdated("prompt.box", &prompt_box.r#box, "box").await)
    }

    async fn type_prompt(&mut self, prompt_box: &PromptBox) -> Result<(), Fault> {
        let select = &prompt_box.r#box;
        let focused: Focused = self.ask("focusBox", &json!({ "box": select })).await?;
        if let Some(point) = focused.point.filter(|_| focused.alt >= 0) {
            self.session.click(point.x, point.y, &self.bounds).await?;
        }
        let mut typed = Typed { same: false, chars: 0 };
        for how in ["insert", "devtools", "assign"] {
            if how == "devtools" {
                self.typed(select, "select").await?;
                self.session.insert_text(self.prompt, &self.bounds).await?;
            } else {
                typed = self.typed(select, how).await?;
            }
            if !typed.same {
                let wants = [Want { select, how: How::Typed }];
                self.wait_until(&wants, TYPED_WAIT, Look::found).await?;
                typed = self.typed(select, "look").await?;
            }
            if typed.same {
                break;
            }
        }
        // Pages that listen for keys only learn of the prompt by one.
        self.session.press(false, END, &self.bounds).await?;
        self.trace.done("type the prompt").note(format!("{} characters", typed.chars));
        if typed.same {
            return Ok(());
        }
        let given = self.prompt.chars().count();
        let sentence =
            format!("took {} characters of the prompt's {given} into its box", typed.chars);
        Err(Fault::page(Reason::BadRequest, sentence))
    }

    async fn typed(&mut self, select: &Selectors, how: &str) -> Result<Typed, Fault> {
        let argument = json!({ "box": select, "prompt": self.prompt, "how": how });
        self.ask("type", &argument).await
    }

    async fn submit(&mut self, submit: &Submit, prompt_box: &PromptBox) -> Result<(), Fault> {
        let wait = Duration::from_millis(submit.wait_ms);
        let wants = [Want { select: &submit.click, how: How::Usable }];
        if !submit.click.is_empty()
            && self.wait_until(&wants, wait, Look::found).await?.is_some()
            && self.click_one("submit.click", &submit.click).await?
        {
            return Ok(());
        }
        let Some(key) = submit.key else {
            return Err(self.outdated("submit.click", &submit.click, "click").await);
        };
        if !submit.click.is_empty() {
            self.trace.matched("submit.click", &submit.click, -1);
        }
        let focused: Focused = self.ask("focusBox", &json!({ "box": prompt_box.r#box })).await?;
        if focused.alt < 0 {
            return Err(self.outdated("prompt.box", &prompt_box.r#box, "box").await);
        }
        self.session.press(key == Key::ControlEnter, ENTER, &self.bounds).await?;
        self.trace.done("press the key that sends");
        Ok(())
    }

    pub(super) async fn click(&mut self, point: Option<Point>) -> Result<(), Fault> {
        if let Some(point) = point {
            self.session.click(point.x, point.y, &self.bounds).await?;
        }
        Ok(())
    }

    async fn wait_for_answer(&mut self) -> Result<(), Fault> {
        let complete = &self.recipe.complete;
        let bounds = self.bounds.within(Duration::from_millis(complete.wait_ms));
        let unchanged = Duration::from_millis(complete.unchanged_ms);
        let mut last = (String::new(), self.clock.instant());
        let (mut begun, mut alt) = (false, -1);
        let mut documents = self.session.documents();
        let mut moved_at = None;
        let mut rest = Duration::ZERO;
        let mut running = Vec::new();
        self.question.want(&[]);
        loop {
            let look = self.next_look(rest).await?;
            if look.running != running {
                self.watch_running().await?;
                running.clone_from(&look.running);
            }
            alt = look.answer.alt.max(alt);
            let now = self.clock.instant();
            if look.answer.begun || !begun {
                (documents, moved_at) = (self.session.documents(), None);
            } else if documents != self.session.documents() {
                let since = *moved_at.get_or_insert(now);
                if now.saturating_duration_since(since) >= MOVED_WAIT {
                    let sentence = "went to another page in the middle of its answer";
                    return Err(Fault::page(Reason::UpstreamError, sentence));
                }
            }
            if look.answer.hash != last.0 {
                last = (look.answer.hash.clone(), now);
            }
            if look.answer.chars > ANSWER_CHARS_MAX {
                let sentence = format!("gave an answer of more than {ANSWER_CHARS_MAX} characters");
                return Err(Fault::page(Reason::TooLarge, sentence));
            }
            if look.answer.begun && !begun {
                begun = true;
                self.trace.matched("answer.select", &self.recipe.answer.select, look.answer.alt);
                self.trace.note("the answer begins");
            }
            let still = now.saturating_duration_since(last.1);
            let waits_for = [
                (!look.answer.begun, "an answer"),
                (look.appears < 0 && !complete.appears.is_empty(), "`appears`"),
                (look.present >= 0, "`gone`"),
                (!look.request_ended, "`request_ended`"),
                (still < unchanged, "`unchanged_ms`"),
            ];
            let Some((_, missing)) = waits_for.iter().find(|(waits, _)| *waits) else {
                if complete.appears.is_empty() {
                    self.trace.done("the answer is complete");
                } else {
                    self.trace.matched("complete.appears", &complete.appears, look.appears);
                }
                self.trace.note(format!("{} characters", look.answer.chars));
                return Ok(());
            };
            if bounds.left().is_zero() || self.bounds.left().is_zero() {
                return Err(self.incomplete(begun, alt, missing).await);
            }
            rest = match unchanged.saturating_sub(still) {
                Duration::ZERO => HEARTBEAT,
                left => left,
            };
            rest = rest.min(bounds.left());
        }
    }

    async fn incomplete(&mut self, begun: bool, alt: i64, missing: &str) -> Fault {
        let what = if begun {
            format!("has begun an answer that did not become complete: it waited for {missing}")
        } else if alt >= 0 {
            let select = self.recipe.answer.select.clone();
            self.trace.matched("answer.select", &select, alt).note("it says nothing new");
            "showed no answer in time: what `answer.select` names says nothing new".to_owned()
        } else {
            self.miss("answer.select", &self.recipe.answer.select.clone(), "answer").await;
            "showed no answer in time".to_owned()
        };
        Fault::page(Reason::UpstreamTimeout, what)
    }

    /// A selector without which nothing goes on matches nothing.
    async fn outdated(&mut self, name: &str, select: &Selectors, kind: &str) -> Fault {
        self.miss(name, select, kind).await;
        let sentence = format!("has no element that matches `{name}` of its recipe");
        Fault::page(Reason::RecipeOutdated, sentence)
    }

    /// Notes a miss with what could have been meant.
    pub(super) async fn miss(&mut self, name: &str, select: &Selectors, kind: &str) {
        self.trace.matched(name, select, -1).note("nothing matches");
        let asked = json!({ "select": select, "kind": kind });
        if let Ok(nearest) = self.ask::<Vec<String>>("nearest", &asked).await {
            self.trace.nearest(nearest);
        }
    }
}
