//! Sums of what was spent, and models that upstreams have answered with, as stored on disk.

use bincode::{Decode, Encode};

use super::super::StoreError;
use super::{seal, unseal};
use crate::job::{ModelSeen, Spend};

/// Calls, those without a cost, tokens in, out and of the reasoning, searches, and billionths of a
/// dollar.
#[derive(Encode, Decode)]
struct SpendV1([u64; 7]);

#[derive(Encode, Decode)]
struct ModelsV1(Vec<(u64, String)>);

/// Returns the sums in the order of the disk.
fn fields(spend: &mut Spend) -> [&mut u64; 7] {
    let Spend {
        calls,
        calls_without_cost,
        input_tokens,
        output_tokens,
        reasoning_tokens,
        searches,
        nano_usd,
    } = spend;
    [calls, calls_without_cost, input_tokens, output_tokens, reasoning_tokens, searches, nano_usd]
}

/// Encodes the sums of a day (`20260511`).
pub(crate) fn encode_spend(day: u32, mut spend: Spend) -> Result<Vec<u8>, StoreError> {
    seal(u64::from(day), &SpendV1(fields(&mut spend).map(|sum| *sum)))
}

pub(crate) fn decode_spend(day: u32, bytes: &[u8]) -> Result<Spend, StoreError> {
    let SpendV1(disk) = unseal(u64::from(day), bytes)?;
    let mut spend = Spend::default();
    for (sum, stored) in fields(&mut spend).into_iter().zip(disk) {
        *sum = stored;
    }
    Ok(spend)
}

pub(crate) fn encode_models(models: &[ModelSeen]) -> Result<Vec<u8>, StoreError> {
    seal(0, &ModelsV1(models.iter().map(|seen| (seen.since_ms, seen.model.clone())).collect()))
}

pub(crate) fn decode_models(bytes: &[u8]) -> Result<Vec<ModelSeen>, StoreError> {
    let ModelsV1(disk) = unseal(0, bytes)?;
    Ok(disk.into_iter().map(|(since_ms, model)| ModelSeen { since_ms, model }).collect())
}
