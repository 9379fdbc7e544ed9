//! Budgets that all nodes take from: requests per minute by the generic cell rate algorithm, whose
//! whole state is a moment in a row.

use std::sync::Arc;

use super::handle::SharedStore;
use super::round::Value;
use crate::rate::{BudgetGrant, BudgetRequest};
use crate::store::StoreError;

const MINUTE_US: i64 = 60_000_000;

/// Takes of the budget `$1` at `$2` what is left, at most `$5`: one comes back each `$4`, and `$3`
/// is a minute's worth. A clock that was set back takes no more than that away. A crash may forget
/// what was taken in its last moments, so no disk has to be waited for.
const TAKE: &str = "
    WITH held AS (
        SELECT name, least(greatest(tat_us, $2::int8), $2 + $3::int8) AS tat_us
        FROM budgets WHERE name = $1 FOR UPDATE
    ), taken AS (
        SELECT name, tat_us, least($5::int8, ($2 + $3 - tat_us) / $4::int8) AS tokens FROM held
    )
    UPDATE budgets b SET tat_us = t.tat_us + t.tokens * $4 FROM taken t WHERE b.name = t.name
    RETURNING t.tokens, b.tat_us - $2, set_config('synchronous_commit', 'off', true)";
const BEGIN: &str = "INSERT INTO budgets(name, tat_us) VALUES ($1, 0) ON CONFLICT DO NOTHING";

impl SharedStore {
    /// Takes of a budget, and makes it when it is not there; `None` if the database fails.
    pub(crate) async fn grant(&self, request: BudgetRequest<'_>) -> Option<BudgetGrant> {
        match self.take_of(request).await {
            Ok(grant) => Some(grant),
            Err(error) => {
                let budget = request.name;
                tracing::debug!(%error, budget, "a limit is kept by this process alone for now");
                None
            }
        }
    }

    async fn take_of(&self, request: BudgetRequest<'_>) -> Result<BudgetGrant, StoreError> {
        let BudgetRequest { name, per_minute, most, now_ms } = request;
        let interval_us = MINUTE_US / i64::from(per_minute.max(1));
        let name = name.to_owned();
        let values: Vec<Value> = vec![
            Arc::new(name.clone()),
            Arc::new(now_ms.saturating_mul(1_000) as i64),
            Arc::new(interval_us * i64::from(per_minute)),
            Arc::new(interval_us),
            Arc::new(i64::from(most)),
        ];
        loop {
            let found = self.ask_text(TAKE, values.clone()).committed().await?;
            if let Some(row) = found.first() {
                let (tokens, used_us): (i64, i64) = (row.get(0), row.get(1));
                return Ok(BudgetGrant { tokens: tokens as u32, used_us: used_us as u64 });
            }
            self.ask_text(BEGIN, vec![Arc::new(name.clone())]).committed().await?;
        }
    }

    /// Returns how many nodes ask an upstream, this one included, as of the latest beat.
    pub(crate) fn sharers(&self, upstream: &str) -> usize {
        let asks = |names: &[String]| names.iter().any(|name| name == upstream);
        let others =
            self.process.figures.count_nodes(|node| !node.is_self && asks(&node.news.upstreams));
        others + 1
    }
}
