//! Replies that are read as they come: a job's transitions and exports.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use uuid::Uuid;

use super::super::render::ShownJob;
use super::{Client, ClientError, PendingReply};
use crate::store::ResumePoint;

/// How long a stream of events may be silent; servers show every 15 s that they are alive.
const STREAM_SILENCE_MAX: Duration = Duration::from_secs(40);
/// The longest line of a stream of events, bytes: a job object without its result.
const STREAM_LINE_BYTES_MAX: u64 = 1 << 20;

impl Client {
    /// Returns the body of a path with a query as it comes, however long that takes.
    ///
    /// # Errors
    /// Returns an error if the server refused it or could not be reached.
    pub(crate) fn download(
        &self,
        segments: &[&str],
        query: &[(&str, String)],
    ) -> Result<impl Read + use<>, ClientError> {
        Ok(self.reply_as_it_comes(segments, query)?.into_body().into_reader())
    }

    /// Returns the id of a backup, if the server can go on with it, and its bytes as they come: all
    /// of them, or those from a point on.
    ///
    /// # Errors
    /// Returns an error if the server refused it or could not be reached.
    pub(crate) fn backup(
        &self,
        from: Option<ResumePoint>,
    ) -> Result<(Option<Uuid>, impl Read + use<>), ClientError> {
        let resume = from.map(|at| ("resume", format!("{}:{}", at.backup, at.block)));
        let reply = self.reply_as_it_comes(&["backup"], resume.as_slice())?;
        let id = reply.headers().get("backup-id").and_then(|id| id.to_str().ok());
        let id = id.and_then(|id| Uuid::try_parse(id).ok());
        Ok((id, reply.into_body().into_reader()))
    }

    fn reply_as_it_comes(
        &self,
        segments: &[&str],
        query: &[(&str, String)],
    ) -> Result<PendingReply, ClientError> {
        let url = self.queried(segments, query);
        let request = self.keyed(self.agent.get(url.as_str())).config().timeout_global(None);
        let request = request.timeout_per_read(Some(STREAM_SILENCE_MAX)).build();
        let reply = request.call().map_err(|error| self.call_failed(error))?;
        if reply.status().as_u16() != 200 {
            let refused = self.document_of(Ok(reply)).err();
            return Err(refused.unwrap_or_else(|| self.invalid_response("no rows".to_owned())));
        }
        Ok(reply)
    }

    /// Returns the job at each of its transitions, without its result, from now on. The channel
    /// ends with the stream: when the job has ended, when the server stops or is silent for too
    /// long, and at once where a server has no events.
    pub(crate) fn events(&self, id: &str) -> Receiver<ShownJob> {
        let (sender, jobs) = crossbeam_channel::unbounded();
        let (client, id) = (self.clone(), id.to_owned());
        let read = move || {
            // Why a stream ends does not matter: the caller polls the job then.
            let _ = client.read_events(&id, &sender);
        };
        // Without a thread the channel ends, as where there are no events.
        let _ = std::thread::Builder::new().name("events".to_owned()).spawn(read);
        jobs
    }

    fn read_events(&self, id: &str, jobs: &Sender<ShownJob>) -> Result<(), ClientError> {
        let request = self.agent.get(self.path(&["jobs", id, "events"]).as_str());
        let request = request.config().timeout_global(None);
        let request = request.timeout_per_read(Some(STREAM_SILENCE_MAX)).build();
        let reply = request.call().map_err(|error| self.call_failed(error))?;
        if reply.status().as_u16() != 200 {
            return Ok(());
        }
        let mut stream = BufReader::new(reply.into_body().into_reader());
        loop {
            let mut line = String::new();
            let read = stream.by_ref().take(STREAM_LINE_BYTES_MAX).read_line(&mut line);
            if read.map_err(|error| self.unreachable(error.to_string()))? == 0 {
                return Ok(());
            }
            let Some(data) = line.strip_prefix("data:") else { continue };
            let document = serde_json::from_str(data).map_err(|error| self.unreadable(&error))?;
            let job = ShownJob::read(document).map_err(|error| self.unreadable(&error))?;
            if jobs.send(job).is_err() {
                return Ok(());
            }
        }
    }
}
