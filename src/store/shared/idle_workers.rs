//! New jobs that an idle worker of this process can begin at once: they are inserted as taken, and
//! other processes do not look at them.

use super::transaction::Transaction;
use crate::job::Job;
use crate::store::effects::Effect;

impl Transaction<'_> {
    /// Takes a new job for a worker of this process, if there is one that has nothing to do; its
    /// effects are those from `effects_from` on. With no other process nothing has to be taken.
    pub(super) fn take_for_idle_worker(
        &mut self,
        scraper: u16,
        job: &Job,
        effects_from: usize,
    ) -> bool {
        if self.process.status.is_alone() || job.due_ms > job.created_ms {
            return false;
        }
        let listener = self.process.listener.get();
        let idle = listener.map_or(0, |it| it.idle_workers(scraper, job.interactive));
        let taken = self.taken.entry(scraper).or_default();
        if *taken >= idle {
            return false;
        }
        *taken += 1;
        let effect = Effect::Taken { scraper, row: job.row, interactive: job.interactive };
        let is_ready = |effect: &&mut Effect| matches!(effect, Effect::Ready { .. });
        let own = self.effects[effects_from..].iter_mut();
        own.filter(is_ready).for_each(|ready| *ready = effect.clone());
        true
    }
}
