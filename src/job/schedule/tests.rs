use proptest::prelude::*;

use super::*;

/// 2026-05-11T12:00:00Z.
const NOW_MS: u64 = 1_778_500_800_000;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn ms(text: &str) -> UnixMs {
    crate::clock::parse_moment(text).unwrap().first_ms
}

fn cron(pattern: &str, zone: &str) -> Recurrence {
    Recurrence::cron(pattern, zone, NOW_MS).unwrap()
}

fn schedule(recurrence: Recurrence, missed: MissedPolicy) -> Schedule {
    let mut schedule = Schedule {
        row: 1,
        nonce: 7,
        account: "a".to_owned(),
        definition: ScheduleDefinition {
            name: "daily".to_owned(),
            recurrence,
            jitter_seconds: 0,
            missed,
            ends_ms: None,
            max_runs: None,
        },
        paused: false,
        created_ms: NOW_MS,
        version: 0,
        progress: ScheduleProgress::default(),
    };
    schedule.plan_after(NOW_MS);
    schedule
}

fn next_texts(recurrence: &Recurrence, after: &str, count: usize) -> Vec<String> {
    let mut at_ms = ms(after);
    let mut texts = Vec::new();
    for _ in 0..count {
        at_ms = recurrence.next_after(at_ms).unwrap();
        texts.push(crate::clock::rfc3339_seconds(at_ms).replace("+00:00", "Z"));
    }
    texts
}

#[test]
fn slot_that_does_not_exist_runs_right_after_the_gap() {
    // Berlin goes from 02:00 to 03:00 at 2026-03-29T01:00Z.
    let daily = cron("30 2 * * *", "Europe/Berlin");
    assert_eq!(
        next_texts(&daily, "2026-03-27T12:00:00Z", 3),
        ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    let often = cron("*/30 * * * *", "Europe/Berlin");
    assert_eq!(
        next_texts(&often, "2026-03-29T00:00:00Z", 3),
        ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
    );
}

#[test]
fn slot_that_comes_twice_runs_once_if_it_is_daily() {
    // Berlin goes from 03:00 back to 02:00 at 2026-10-25T01:00Z.
    let daily = cron("30 2 * * *", "Europe/Berlin");
    assert_eq!(
        next_texts(&daily, "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    let often = cron("*/30 * * * *", "Europe/Berlin");
    assert_eq!(
        next_texts(&often, "2026-10-25T00:00:00Z", 4),
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z"
        ]
    );
}

#[test]
fn patterns_and_intervals_are_checked() {
    for wrong in
        ["", "* * * *", "60 * * * *", "0 0 30 2 *", "0 0 0 * * *", "nonsense", "* * * * * *"]
    {
        assert!(Recurrence::cron(wrong, "UTC", NOW_MS).is_err(), "{wrong}");
    }
    for right in
        ["0 6 * * *", "@daily", "0 6 * * MON-FRI", "0 0 L * *", "0 0 29 2 *", "  0  6 * * * "]
    {
        assert!(Recurrence::cron(right, "UTC", NOW_MS).is_ok(), "{right}");
    }
    for (text, seconds) in [("8h", 28_800), ("1d12h", 129_600), ("90m", 5_400), ("60s", 60)] {
        assert_eq!(parse_duration(text), Some(seconds), "{text}");
    }
    for wrong in
        ["", "8", "59s", "h", "-1h", "1h1h", "30m1h", "1.5h", "367d", "99999999999999999999d"]
    {
        assert_eq!(parse_duration(wrong), None, "{wrong}");
    }
    for (name, zone) in
        [("europe/berlin", "Europe/Berlin"), ("utc", "UTC"), ("Etc/GMT-3", "Etc/GMT-3")]
    {
        assert_eq!(check_zone(name).unwrap(), zone);
    }
    for wrong in ["", "Berlin", "Mars/Base", "+02:00"] {
        assert!(check_zone(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_zone_that_a_schedule_may_name_has_slots() {
    for zone in crate::country::time_zones() {
        let daily = Recurrence::Cron { pattern: "0 6 * * *".to_owned(), zone: zone.to_owned() };
        assert!(daily.next_after(NOW_MS).is_some_and(|at_ms| at_ms <= NOW_MS + DAY_MS), "{zone}");
    }
}

#[test]
fn three_days_of_absence_are_one_run_or_none() {
    let later_ms = NOW_MS + 3 * DAY_MS + 7 * HOUR_MS;
    let hourly = || cron("0 * * * *", "UTC");
    let once = schedule(hourly(), MissedPolicy::RunOnce);
    let slot_ms = later_ms;
    assert_eq!(once.decide(later_ms), SlotDecision::Run { slot_ms, missed: 78 });
    // The last slot is late by ten minutes.
    let late_ms = later_ms + 10 * MINUTE_MS;
    assert_eq!(once.decide(late_ms), SlotDecision::Run { slot_ms, missed: 78 });
    let skip = schedule(hourly(), MissedPolicy::Skip);
    assert_eq!(skip.decide(late_ms), SlotDecision::Miss { slot_ms, missed: 78 });
    // A slot that is only a little late is not missed.
    assert_eq!(skip.decide(later_ms + MINUTE_MS), SlotDecision::Run { slot_ms, missed: 78 });
}

#[test]
fn absence_of_years_is_counted_up_to_the_bound() {
    let often = schedule(cron("* * * * *", "Europe/Berlin"), MissedPolicy::RunOnce);
    let now_ms = NOW_MS + 2 * 365 * DAY_MS;
    let decision = SlotDecision::Run { slot_ms: now_ms, missed: MISSED_COUNTED_MAX };
    assert_eq!(often.decide(now_ms), decision);
}

#[test]
fn schedule_ends_at_its_end_and_after_its_runs() {
    let mut it = schedule(cron("0 * * * *", "UTC"), MissedPolicy::RunOnce);
    it.definition.ends_ms = Some(NOW_MS + 2 * HOUR_MS);
    // Long after the end the last slot before it is what was missed.
    let slot_ms = NOW_MS + 2 * HOUR_MS;
    assert_eq!(it.decide(NOW_MS + DAY_MS), SlotDecision::Run { slot_ms, missed: 1 });
    let outcome = RunOutcome::Submitted { batch: Uuid::nil(), refused: 0 };
    it.note_run(Some(slot_ms), 1, outcome.clone(), None, NOW_MS + DAY_MS);
    assert!(it.has_ended());

    let mut it = schedule(cron("0 * * * *", "UTC"), MissedPolicy::Skip);
    it.definition.max_runs = Some(2);
    for hour in 1..=2 {
        assert!(!it.has_ended());
        let slot_ms = NOW_MS + hour * HOUR_MS;
        it.note_run(Some(slot_ms), 0, outcome.clone(), None, slot_ms);
    }
    assert!(it.has_ended());
    // What a call asks for does not count.
    let run = it.note_run(None, 0, outcome, None, NOW_MS);
    assert_eq!((run.number, it.progress.submitted), (2, 2));
}

#[test]
fn clock_that_was_far_ahead_does_not_stop_a_schedule() {
    let mut it = schedule(cron("0 * * * *", "UTC"), MissedPolicy::Skip);
    let ahead_ms = NOW_MS + 365 * DAY_MS;
    it.note_run(Some(ahead_ms), 0, RunOutcome::Missed, None, ahead_ms);
    assert!(!it.clone().plan_after_clock_step(ahead_ms - HOUR_MS));
    assert!(it.plan_after_clock_step(NOW_MS));
    assert_eq!(it.progress.next.unwrap().at_ms, NOW_MS + HOUR_MS);
}

fn recurrences() -> impl Strategy<Value = Recurrence> {
    let patterns =
        ["* * * * *", "*/15 * * * *", "0 6 * * *", "30 2 * * *", "0 0 1 * *", "0 9 * * MON"];
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];
    let by_cron = (0..patterns.len(), 0..zones.len())
        .prop_map(move |(pattern, zone)| cron(patterns[pattern], zones[zone]));
    let by_interval = (EVERY_SECONDS_MIN..=200_000)
        .prop_map(|seconds| Recurrence::Every { seconds, from_ms: NOW_MS });
    prop_oneof![by_cron, by_interval]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn next_and_last_agree(recurrence in recurrences(), after_ms in NOW_MS..NOW_MS + 400 * DAY_MS) {
        let next_ms = recurrence.next_after(after_ms).unwrap();
        prop_assert!(next_ms > after_ms);
        prop_assert_eq!(recurrence.last_until(next_ms), Some(next_ms));
        // Between a slot and the next there is none.
        let last_ms = recurrence.last_until(next_ms - 1);
        prop_assert!(last_ms.is_none_or(|last_ms| last_ms <= after_ms));
    }

    #[test]
    fn jitter_is_fixed_and_ends_before_the_next_slot(
        recurrence in recurrences(),
        jitter_seconds in 0..=JITTER_SECONDS_MAX,
        nonce: u128,
    ) {
        let mut it = schedule(recurrence, MissedPolicy::Skip);
        it.nonce = nonce;
        it.definition.jitter_seconds = jitter_seconds;
        it.plan_after(NOW_MS);
        let slot = it.progress.next.unwrap();
        prop_assert_eq!(it.slot(slot.at_ms), slot);
        prop_assert!(slot.due_ms - slot.at_ms <= u64::from(jitter_seconds) * 1_000);
        prop_assert!(slot.due_ms < it.definition.recurrence.next_after(slot.at_ms).unwrap());
    }

    /// However the service is up and down, each slot is dealt with at most once, in order, and no
    /// slot of a `run_once` schedule is left without a run at it or after it.
    #[test]
    fn slots_are_dealt_with_once_and_in_order(
        recurrence in recurrences(),
        once: bool,
        jitter_seconds in 0..=600_u32,
        steps in proptest::collection::vec(1_u64..2 * DAY_MS, 1..8),
    ) {
        let policy = if once { MissedPolicy::RunOnce } else { MissedPolicy::Skip };
        let mut it = schedule(recurrence, policy);
        it.definition.jitter_seconds = jitter_seconds;
        it.plan_after(NOW_MS);
        let mut now_ms = NOW_MS;
        let mut last_ms = NOW_MS;
        for step_ms in steps {
            now_ms += step_ms;
            let (slot_ms, missed, outcome) = match it.decide(now_ms) {
                SlotDecision::Wait => continue,
                SlotDecision::Run { slot_ms, missed } => {
                    (slot_ms, missed, RunOutcome::Submitted { batch: Uuid::nil(), refused: 0 })
                }
                SlotDecision::Miss { slot_ms, missed } => {
                    prop_assert!(!once);
                    (slot_ms, missed, RunOutcome::Missed)
                }
            };
            prop_assert!(slot_ms > last_ms && slot_ms <= now_ms);
            prop_assert_eq!(it.definition.recurrence.last_until(slot_ms), Some(slot_ms));
            it.note_run(Some(slot_ms), missed, outcome, None, now_ms);
            // Nothing else is due now.
            prop_assert_eq!(it.decide(now_ms), SlotDecision::Wait);
            last_ms = slot_ms;
        }
    }
}
