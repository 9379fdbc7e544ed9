//! Nodes register, beat and die; what a dead one held is given back, and it cannot write any more.

use super::super::nodes::{
    Beats, NOT_FENCED, NodeNumber, SLOT_OF_ALL, beat, declare_dead, is_replaced, register,
};
use super::*;

/// What the writer of a slot begins each batch with.
async fn fence(session: &PgSession, node: NodeNumber, slot: i16, seq: i64) -> u64 {
    let fence =
        "UPDATE writers SET seq = $3::int8 WHERE node = $1 AND slot = $2 AND seq = $3::int8 - 1";
    session.execute(fence, &[&node.0, &slot, &seq]).await.unwrap()
}

#[test]
fn node_gets_a_new_number_and_fences_at_each_start() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let a = register(&session, &profile("a")).await.unwrap();
        let b = register(&session, &profile("b")).await.unwrap();
        assert_ne!(a, b);
        assert_eq!(number(&session, "SELECT count(*) FROM writers WHERE seq = 0").await, 4);
        assert_eq!(beat(&session, a).await.unwrap(), Beats::Counted(vec![(b, 0)]));
        assert_eq!(beat(&session, a).await.unwrap(), Beats::Counted(vec![(b, 0)]));
        assert_eq!(beat(&session, b).await.unwrap(), Beats::Counted(vec![(a, 2)]));
    });
}

#[test]
fn later_process_of_a_name_takes_over_at_once() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let first = register(&session, &profile("a")).await.unwrap();
        let second = register(&session, &profile("a")).await.unwrap();
        assert!(second > first);
        assert_eq!(beat(&session, first).await.unwrap(), Beats::Gone);
        assert_eq!(fence(&session, first, 0, 1).await, 0);
        assert!(is_replaced(&session, first, "a").await.unwrap());
        assert!(!is_replaced(&session, second, "a").await.unwrap());
        assert_eq!(beat(&session, second).await.unwrap(), Beats::Counted(vec![]));
        assert_eq!(fence(&session, second, 0, 1).await, 1);
    });
}

#[test]
fn processes_that_start_together_under_one_name_leave_one() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let sessions = futures_util::future::join_all((0..3).map(|_| place.connect())).await;
        let profile = profile("a");
        let started = sessions.iter().map(|session| register(session, &profile));
        let started = futures_util::future::join_all(started).await;
        let mut alive = 0;
        for node in started.into_iter().flatten() {
            alive += usize::from(beat(&session, node).await.unwrap() != Beats::Gone);
        }
        assert_eq!(alive, 1);
        assert_eq!(number(&session, "SELECT count(DISTINCT node) FROM writers").await, 1);
    });
}

#[test]
fn dead_node_gives_back_what_it_held_and_its_sums_stay() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let dead = register(&session, &profile("dead")).await.unwrap();
        let live = register(&session, &profile("live")).await.unwrap();
        for (node, rows) in [(dead, "1, 2500"), (live, "3001, 3010")] {
            let NodeNumber(node) = node;
            let held = format!(
                "INSERT INTO queue SELECT row, 1, false, 0, NULL, 0, {node}, ''
                 FROM generate_series({rows}) AS row;
                 INSERT INTO outbox SELECT row, 0, 0, {node} FROM generate_series({rows}) AS row;"
            );
            run(&session, &held).await;
        }
        // Two writers of the dead one, one of the live one, and what another one has left.
        for slot in [dead.slot(0), dead.slot(1), live.slot(0), SLOT_OF_ALL] {
            let sums = format!(
                "INSERT INTO depth VALUES (1, {slot}, 10), (2, {slot}, 1);
                 INSERT INTO credits VALUES (1, 202605, {slot}, 3, 30);
                 INSERT INTO usage VALUES (1, 20260511, 1, {slot}, 5, 4, 3, 2, 1);"
            );
            run(&session, &sums).await;
        }
        assert!(declare_dead(&session, dead, Some(0)).await.unwrap());
        let held = "SELECT count(*) FROM queue WHERE node IS NOT NULL";
        assert_eq!(number(&session, held).await, 10);
        assert_eq!(number(&session, "SELECT count(*) FROM outbox WHERE node IS NULL").await, 2_500);
        let sum = |table: &str, sum: &str, slots: &str| {
            format!("SELECT sum({sum})::int8 FROM {table} WHERE slot IN ({slots})")
        };
        let kept = format!("{SLOT_OF_ALL}, {}", live.slot(0));
        for (table, column, all, moved) in [
            ("depth", "n", 44, 33),
            ("credits", "reserved", 12, 9),
            ("credits", "used", 120, 90),
            ("usage", "jobs", 20, 15),
            ("usage", "credits", 4, 3),
        ] {
            assert_eq!(number(&session, &sum(table, column, &kept)).await, all, "{column}");
            let of_all = sum(table, column, &SLOT_OF_ALL.to_string());
            assert_eq!(number(&session, &of_all).await, moved, "{column}");
        }
        assert_eq!(beat(&session, live).await.unwrap(), Beats::Counted(vec![]));
        assert_eq!(fence(&session, live, 0, 1).await, 1);
        // Once more changes nothing.
        assert!(!declare_dead(&session, dead, Some(0)).await.unwrap());
        assert_eq!(number(&session, &sum("depth", "n", &kept)).await, 44);
    });
}

#[test]
fn node_that_has_beaten_since_it_was_seen_is_not_declared_dead() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let node = register(&session, &profile("a")).await.unwrap();
        beat(&session, node).await.unwrap();
        assert!(!declare_dead(&session, node, Some(0)).await.unwrap());
        assert_eq!(beat(&session, node).await.unwrap(), Beats::Counted(vec![]));
        assert!(declare_dead(&session, node, Some(2)).await.unwrap());
        assert_eq!(beat(&session, node).await.unwrap(), Beats::Gone);
    });
}

#[test]
fn declaration_that_was_broken_off_is_repeated() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let dead = register(&session, &profile("a")).await.unwrap();
        let live = register(&session, &profile("b")).await.unwrap();
        run(&session, &format!("UPDATE nodes SET fenced = true WHERE node = {}", dead.0)).await;
        assert_eq!(beat(&session, dead).await.unwrap(), Beats::Gone);
        assert_eq!(beat(&session, live).await.unwrap(), Beats::Counted(vec![(dead, 0)]));
        assert!(declare_dead(&session, dead, Some(0)).await.unwrap());
        assert_eq!(beat(&session, live).await.unwrap(), Beats::Counted(vec![]));
    });
}

#[test]
fn batch_under_way_is_waited_for_and_its_sums_are_kept() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let node = register(&session, &profile("a")).await.unwrap();
        let writer = place.connect().await;
        run(&writer, "BEGIN").await;
        assert_eq!(fence(&writer, node, 1, 1).await, 1);
        run(&writer, &format!("INSERT INTO depth VALUES (1, {}, 7)", node.slot(1))).await;
        let commit = async {
            // The declaration waits for the writer's row.
            let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
            while number(&writer, waits).await == 0 {}
            run(&writer, "COMMIT").await;
        };
        let (declared, ()) =
            futures_util::future::join(declare_dead(&session, node, None), commit).await;
        assert!(declared.unwrap());
        let depth = format!("SELECT n FROM depth WHERE slot = {SLOT_OF_ALL}");
        assert_eq!(number(&session, &depth).await, 7);
        assert_eq!(fence(&writer, node, 1, 2).await, 0);
    });
}

#[test]
fn dead_node_reserves_nothing() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let node = register(&session, &profile("a")).await.unwrap();
        run(&session, "INSERT INTO queue VALUES (1, 1, false, 0, NULL, 0, NULL, '')").await;
        let reserve = format!("UPDATE queue SET node = $1 WHERE node IS NULL AND {NOT_FENCED}");
        let zombie = place.connect().await;
        run(&zombie, "BEGIN").await;
        assert_eq!(zombie.execute(&reserve, &[&node.0]).await.unwrap(), 1);
        // Neither a batch nor a beat waits for it.
        assert_eq!(fence(&session, node, 0, 1).await, 1);
        assert_eq!(beat(&session, node).await.unwrap(), Beats::Counted(vec![]));
        let commit = async {
            let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
            while number(&zombie, waits).await == 0 {}
            run(&zombie, "COMMIT").await;
        };
        let (declared, ()) =
            futures_util::future::join(declare_dead(&session, node, None), commit).await;
        assert!(declared.unwrap());
        assert_eq!(number(&session, "SELECT count(*) FROM queue WHERE node IS NULL").await, 1);
        assert_eq!(zombie.execute(&reserve, &[&node.0]).await.unwrap(), 0);
    });
}
