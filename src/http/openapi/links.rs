//! Where an id from a submit leads: a link to each method whose path takes that id and nothing
//! else.

use serde_json::{Map, Value, json};

/// Adds them to the replies of the submits.
pub(crate) fn add(paths: &mut Value) {
    let (of_job, of_batch) = (links("job_id", paths), links("batch_id", paths));
    // With `samples` it is a batch that comes of it; only the links of the id that came lead on.
    let either: Map<String, Value> = of_job.into_iter().chain(of_batch.clone()).collect();
    for (path, links) in [("/scrapers/{scraper}/jobs", either), ("/batches", of_batch)] {
        paths[path]["post"]["responses"]["202"]["links"] = links.into();
    }
}

/// Links by the names of their methods.
fn links(id: &str, paths: &Value) -> Map<String, Value> {
    let taken = format!("{{{id}}}");
    let takers = paths.as_object().into_iter().flatten();
    let takers = takers.filter(|(path, _)| path.matches('{').count() == 1 && path.contains(&taken));
    takers
        .flat_map(|(_, methods)| methods.as_object().into_iter().flat_map(Map::values))
        .filter_map(|operation| operation["operationId"].as_str())
        .map(|name| {
            let from = format!("$response.body#/{id}");
            (name.to_owned(), json!({ "operationId": name, "parameters": { id: from } }))
        })
        .collect()
}
