//! Budgets that all nodes take from: requests per minute by the generic cell rate algorithm, whose
//! whole state is a moment in a row.

use std::sync::Arc;

use super::handle::SharedStore;
use super::round::Value;
use super::statements::Sql;
use crate::rate::{BudgetGrant, BudgetRequest};
use crate::store::StoreError;

const MINUTE_US: i64 = 60_000_000;
/// How often a budget is taken of: it is made after the first time.
const TRIES: usize = 2;

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
        for _ in 0..TRIES {
            let found = self.ask_statement(Sql::TakeBudget, values.clone()).committed().await?;
            if let Some(row) = found.first() {
                let (tokens, used_us): (i64, i64) = (row.get(0), row.get(1));
                return Ok(BudgetGrant { tokens: tokens as u32, used_us: used_us as u64 });
            }
            self.ask_text(BEGIN, vec![Arc::new(name.clone())]).committed().await?;
        }
        Err(StoreError::Busy)
    }

    /// Returns how many nodes ask an upstream, this one included, as of the latest beat.
    pub(crate) fn sharers(&self, upstream: &str) -> usize {
        let asks = |names: &[String]| names.iter().any(|name| name == upstream);
        let others =
            self.process.figures.count_nodes(|node| !node.is_self && asks(&node.news.upstreams));
        others + 1
    }
}
