//! Planned failures: at every breakpoint that a job comes by, everything that can go wrong there.
//! However it goes, the job ends once and its webhook is told, and nothing is left over.

use insta::assert_snapshot;

use super::super::breakpoints::Point;
use super::script::Act;
use super::steps::Order;
use super::world::World;
use super::*;

/// Where a job with a webhook comes by.
const OF_A_JOB: [Point; 8] = [
    Point::RowTaken,
    Point::StartWritten,
    Point::Asking,
    Point::OutcomeKnown,
    Point::OutcomeWritten,
    Point::WebhookUnsent,
    Point::WebhookSent,
    Point::WebhookNoted,
];

/// What goes wrong at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The disk takes no more writes for a while.
    Full,
    /// The next commit is applied, and reported as failed.
    Unconfirmed,
    /// The thread panics.
    Panic,
    /// The process is killed.
    Killed,
    /// The process is stopped in order, with no time left for what runs.
    Stopped,
    /// The owner cancels the job.
    Canceled,
}

/// Makes it go wrong once at a point.
fn fail(world: &mut World, point: Point, failure: Failure, row: Row) {
    let thread = world.run_to(point);
    world.forget_story();
    match failure {
        Failure::Full => {
            world.refuse(Fault::Writes);
            world.step(&thread, Order::GoOn);
            world.settle();
            world.refuse(Fault::Nothing);
            world.until("the store does not recover", World::works);
        }
        Failure::Unconfirmed => {
            world.refuse(Fault::Confirms);
            world.step(&thread, Order::GoOn);
            world.refuse(Fault::Nothing);
            world.until("the store does not recover", World::works);
        }
        Failure::Panic => {
            world.step(&thread, Order::Panic);
            if point == Point::WebhookSent {
                // Nobody knows what became of it: the next process sends it again.
                world.settle();
                world.kill();
            }
        }
        Failure::Killed => world.kill(),
        Failure::Stopped => {
            world.stop();
            let unspent = world.state().iter().all(|line| !line.contains("running"));
            assert!(unspent, "an attempt was not given back: {:#?}", world.state());
        }
        Failure::Canceled => drop(world.cancel(row)),
    }
}

/// Lets the job end, looks at what has become of it, and waits until it is forgotten. Gives the story.
fn end(mut world: World, row: Row) -> String {
    world.until("the job does not end", |world| world.over(row));
    let state = world.state();
    let starts = |word: &str| state.iter().filter(|line| line.starts_with(word)).count();
    let done = starts("job 1 chatgpt anonymous: done") == 1;
    let failed = starts("job 1 chatgpt anonymous: failed") == 1;
    assert!(done != failed, "{state:#?}");
    assert_eq!(starts("result"), usize::from(done), "{state:#?}");
    for index in ["ready", "deadline", "outbox", "unfinished", "taken"] {
        assert_eq!(starts(index), 0, "{state:#?}");
    }
    let webhook_id = format!("msg_{}", world.id(row));
    let told = world.webhooks();
    assert!(!told.is_empty(), "nobody was told of the end");
    for webhook in &told {
        assert_eq!(webhook.id, webhook_id);
        assert_eq!(webhook.body["status"], if done { "done" } else { "failed" });
    }
    let mut story = world.story().to_owned();
    story += &format!("asked {} times, told {} times\n", world.asked(), told.len());
    forgotten(world, done);
    story
}

/// Waits until the job is forgotten: nothing is left but the account's books, which have it once.
fn forgotten(mut world: World, done: bool) {
    world.advance_to(START_MS + 10 * 86_400_000);
    world.until("the job is not forgotten", |world| world.state().len() == 2);
    let (done, failed, credits) = if done { (1, 0, 3) } else { (0, 1, 0) };
    let books = [
        format!("credits anonymous 202605: 0 reserved, {credits} used"),
        format!(
            "use anonymous 20260511 scraper 0: 1 jobs, {done} done, {failed} failed, 0 cached, \
             {credits} credits"
        ),
    ];
    assert_eq!(world.state(), books);
    assert!(world.webhooks().is_empty(), "an old webhook was sent again");
    assert_eq!(world.end(), Vec::<String>::new());
}

/// The stories of a failure at each of these points of a job that `change` has changed.
fn stories(
    points: &[Point],
    failure: Failure,
    change: impl Fn(&mut Job),
    end: impl Fn(World, Row) -> String,
) -> String {
    let mut stories = String::new();
    for point in points {
        let mut world = World::new([]);
        let row = world.submit(&change);
        fail(&mut world, *point, failure, row);
        stories += &format!("# {failure:?} at {point:?}\n{}\n", end(world, row));
    }
    stories
}

/// The stories of everything that can go wrong with the scheduler at these points.
fn stories_of_the_scheduler(
    points: [Point; 2],
    change: impl Fn(&mut Job),
    end: impl Fn(World, Row) -> String,
) -> String {
    let failures = [
        Failure::Full,
        Failure::Unconfirmed,
        Failure::Panic,
        Failure::Killed,
        Failure::Stopped,
        Failure::Canceled,
    ];
    failures.iter().map(|failure| stories(&points, *failure, &change, &end)).collect()
}

#[test]
fn a_job_step_by_step() {
    let mut world = World::new([Act::Fail(Reason::Overloaded)]);
    let row = world.submit(|_| {});
    assert_snapshot!(end(world, row));
}

#[test]
fn a_full_disk_at_every_point() {
    assert_snapshot!(stories(&OF_A_JOB, Failure::Full, |_| {}, end));
}

#[test]
fn a_commit_that_was_written_and_reported_as_failed_at_every_point() {
    assert_snapshot!(stories(&OF_A_JOB, Failure::Unconfirmed, |_| {}, end));
}

#[test]
fn a_kill_at_every_point() {
    assert_snapshot!(stories(&OF_A_JOB, Failure::Killed, |_| {}, end));
}

#[test]
fn a_stop_at_every_point() {
    assert_snapshot!(stories(&OF_A_JOB, Failure::Stopped, |_| {}, end));
}

#[test]
fn a_cancel_at_every_point() {
    assert_snapshot!(stories(&OF_A_JOB, Failure::Canceled, |_| {}, end));
}

#[test]
fn a_panic_at_every_point() {
    assert_snapshot!(stories(&OF_A_JOB, Failure::Panic, |_| {}, end));
}

#[test]
fn an_attempt_that_ends_in_each_way() {
    let mut stories = String::new();
    for act in [Act::Fail(Reason::Refused), Act::Panic, Act::Hang] {
        let mut world = World::new([act]);
        // So long the upstream that hangs is waited for.
        let row = world.submit(|job| job.request.timeout_ms = 20);
        world.run_to(Point::Asking);
        world.forget_story();
        stories += &format!("# {act:?}\n{}\n", end(world, row));
    }
    assert_snapshot!(stories);
}

#[test]
fn a_cancel_ends_an_attempt_that_hangs() {
    let mut world = World::new([Act::Hang]);
    let row = world.submit(|job| job.request.timeout_ms = 600_000);
    world.cancel_while_asked(row);
    assert_snapshot!(end(world, row));
}

#[test]
fn a_job_that_kills_every_process_ends() {
    let mut world = World::new([]);
    let row = world.submit(|_| {});
    for _ in 0..4 {
        world.run_to(Point::Asking);
        world.forget_story();
        world.kill();
    }
    assert_snapshot!(end(world, row));
}

#[test]
fn a_failure_at_every_point_of_ending_what_has_not_started_in_time() {
    let late = |job: &mut Job| {
        (job.due_ms, job.start_by_ms) = (START_MS + 5_000, Some(START_MS + 1_000));
    };
    let points = [Point::OverdueFound, Point::OverdueEnded];
    assert_snapshot!(stories_of_the_scheduler(points, late, end));
}

#[test]
fn a_failure_at_every_point_of_removing_what_has_expired() {
    let expiring = |job: &mut Job| {
        (job.due_ms, job.expires_ms) = (START_MS + 5_000, START_MS + 1_000);
    };
    let points = [Point::ExpiredFound, Point::ExpiredRemoved];
    let end = |mut world: World, _| {
        world.settle();
        let story = world.story().to_owned();
        forgotten(world, false);
        story
    };
    assert_snapshot!(stories_of_the_scheduler(points, expiring, end));
}
