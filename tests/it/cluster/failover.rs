//! The loss of the primary or of the standby.

use answerd::clock::Clock;

use super::{compare_list, node, under_load};
use crate::child::store_directory;
use crate::kill_client::Client;
use crate::kill_loop::{self, compare_webhooks};
use crate::postgres::PostgresServer;
use crate::receiver::Receiver;

const CLIENTS: usize = 4;
/// The answers of each node before something happens, and after it.
const ANSWERS: usize = 60;

#[test]
fn a_kill_of_the_primary_loses_nothing_that_its_standby_has() {
    let seed = kill_loop::setting("ANSWERD_KILL_SEED", 1);
    let primary = PostgresServer::start();
    let standby = primary.start_synchronous_standby();
    let url = format!("{}&host={}", primary.url(), standby.folder());
    let (directory, _) = store_directory();
    let nodes = ["a", "b"].map(|name| node(&url, directory.path(), name, &kill_loop::SETTINGS));
    let receiver = Receiver::start([]);
    let new_client = |name| Client::new(name, seed, receiver.url()).bearing_outages();
    let mut clients: Vec<Client> = (0..CLIENTS).map(new_client).collect();
    let (watch, mut promoted_ms, mut back_ms) = (Clock::System.stopwatch(), 0, 0);
    under_load(&nodes, &mut clients, |load| {
        load.more(ANSWERS);
        let killed_ms = watch.elapsed_ms();
        primary.kill();
        standby.promote();
        promoted_ms = watch.elapsed_ms() - killed_ms;
        back_ms = load.more(1);
        load.more(ANSWERS);
    });
    for (client, served) in clients.iter_mut().zip(nodes.iter().cycle()) {
        client.finish(served).ok().unwrap();
    }
    compare_webhooks(&nodes[0], &receiver, &clients);
    compare_list(&nodes[1], &clients);
    let jobs: usize = clients.iter().map(|client| client.jobs.len()).sum();
    let refused: usize = clients.iter().map(|client| client.refused).sum();
    eprintln!(
        "seed {seed}: {jobs} jobs acknowledged, 0 lost; {refused} answers were 503; the promotion \
         took {promoted_ms} ms, and {back_ms} ms later both nodes answered"
    );
    for mut served in nodes {
        assert_eq!(served.terminate(), Some(0));
    }
}
