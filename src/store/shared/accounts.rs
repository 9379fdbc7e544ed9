//! The numbers of accounts: asked for once, before the transaction that needs them.

use std::collections::BTreeSet;

use super::connect::PgSession;
use super::error::PgError;
use super::process::Accounts;

/// Asks for the numbers of those accounts that this process has not seen, and gives one to each
/// that has none.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn learn(
    session: &PgSession,
    accounts: &Accounts,
    names: &BTreeSet<String>,
) -> Result<(), PgError> {
    let unknown = accounts.unknown(names);
    if unknown.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO accounts(name) SELECT name FROM unnest($1::text[]) AS new(name) \
                  WHERE name NOT IN (SELECT name FROM accounts WHERE name = ANY($1)) \
                  ON CONFLICT DO NOTHING";
    session.execute(insert, &[&unknown]).await?;
    let read = "SELECT name, number FROM accounts WHERE name = ANY($1)";
    for row in session.query(read, &[&unknown]).await? {
        accounts.learn(row.get(0), row.get(1));
    }
    Ok(())
}
