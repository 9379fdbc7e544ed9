//! The processes that share a store, as an operator sees them.

use crate::dashboard::Dashboard;
use crate::limits::keys;
use crate::nodes::node;
use crate::postgres::PostgresServer;

#[test]
fn overview_has_a_table_of_the_processes_where_there_are_several() {
    let schema = PostgresServer::shared().new_schema();
    let start = |name: &str| node(&schema, name).config(&keys("operator = true")).start();
    let a = start("front-1");
    let alone = Dashboard::signed_in(&a, "secret-a", "/");
    alone.shows("Upstreams");
    assert_eq!(alone.browser.run("return document.querySelectorAll('#nodes-title').length"), 0);
    let b = start("front-2");
    crate::app::until(|| {
        let nodes = a.get_with("/nodes", &crate::limits::A).expect(200);
        (nodes["nodes"].as_array().unwrap().len() == 2).then_some(())
    });
    let dashboard = Dashboard::signed_in(&a, "secret-a", "/");
    dashboard.browser.until("document.getElementById('nodes-title')");
    dashboard.shows("front-2");
    dashboard.shows("leads, answers you");
    dashboard.keep("nodes");
    dashboard.is_at_peace();
    let other = Dashboard::signed_in(&a, "secret-b", "/");
    other.shows("Upstreams");
    assert_eq!(other.browser.run("return document.querySelectorAll('#nodes-title').length"), 0);
    other.is_at_peace();
    b.stop();
    a.stop();
}
