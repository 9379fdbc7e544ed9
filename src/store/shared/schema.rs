//! The schema of a shared store: made by the first start, and checked by each. What is not ours, or
//! cannot be used, is refused with what to do.

use std::time::Duration;

use super::connect::PgSession;
use super::error::ErrorClass;
use super::versions::{META_SCHEMA, META_SCHEMA_MIN, SCHEMA, SCHEMA_MIN};
use crate::id;
use crate::store::StoreError;
use crate::store::error::BackendError;

const SCHEMA_SQL: &str = include_str!("sql/schema.sql");

const META_ID_KEY: &str = "id_key";

/// The oldest server that is known to work, as `server_version_num`.
const SERVER_VERSION_MIN: i32 = 140_000;
/// How often making the schema is tried while other nodes start at the same moment.
const MAKE_TRIES: u32 = 10;
const MAKE_PAUSE: Duration = Duration::from_millis(100);

/// A reason why a database cannot be the store.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SchemaError {
    #[error(
        "the schema {0} of the database has no store; `store.url` and `store.schema` say where it \
         is, and the first start of the service makes it"
    )]
    NoStore(String),
    #[error(
        "the schema {0} of the database has tables that are not answerd's; give the store a schema \
         of its own"
    )]
    Foreign(String),
    #[error(
        "the store in the schema {schema} was changed by a newer answerd and needs one of at least \
         its version {needed}; this one has {build}: install the newer one"
    )]
    Newer { schema: String, needed: u32, build: u32 },
    #[error(
        "the store in the schema {schema} is to be changed to what needs an answerd of at least \
         its version {needed}, and these processes are older: {nodes}; replace them first, one \
         after the other"
    )]
    OlderNodes { schema: String, needed: u32, nodes: String },
    #[error(
        "the tables of the store in the schema {schema} are of version {found}, and this answerd \
         uses those of version {build}; run `answerd db migrate`, which the processes of the \
         version before go on with, or set `store.migrate = true`"
    )]
    Older { schema: String, found: u32, build: u32 },
    #[error(
        "the store in the schema {0} has another key of the ids than this node had: ids that \
         clients hold would not be found; name the database and the schema of before"
    )]
    OtherKey(String),
    #[error(
        "the role {role} does not own the tables in the schema {schema}, as it has to, to make and \
         drop those of each hour; run `GRANT {owner} TO {role}`, or connect as {owner}"
    )]
    NotOwner { role: String, schema: String, owner: String },
    #[error(
        "the role {role} may not make tables in the schema {schema}; run \
         `CREATE SCHEMA IF NOT EXISTS {schema}` and \
         `GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}`"
    )]
    MayNotCreate { role: String, schema: String },
    #[error("the server has PostgreSQL {0}; answerd needs 14 or newer")]
    OldServer(String),
    #[error(
        "the server has {setting} = {value}: after a power cut accepted jobs would be gone; \
         set {setting} = on"
    )]
    NotDurable { setting: &'static str, value: String },
    #[error(
        "the database has the encoding {0}; make one for answerd with `createdb --encoding UTF8 \
         --template template0`"
    )]
    Encoding(String),
}

impl From<SchemaError> for StoreError {
    fn from(error: SchemaError) -> StoreError {
        StoreError::Unsuitable(BackendError::new(error, true))
    }
}

/// Makes the schema when it is not there, and checks that this build may use it and that the role
/// may write it. Returns the key of the ids.
///
/// `known_key` is the key that this process had when it was connected before.
///
/// # Errors
/// Returns an error if the server or the schema cannot be used, or the database fails.
pub(super) async fn prepare(
    session: &PgSession,
    schema: &str,
    known_key: Option<[u8; 16]>,
) -> Result<[u8; 16], StoreError> {
    prepare_for(session, schema, known_key, SCHEMA).await
}

/// Does what [`prepare`] does, for a build that uses the tables of version `build`.
pub(super) async fn prepare_for(
    session: &PgSession,
    schema: &str,
    known_key: Option<[u8; 16]>,
    build: u32,
) -> Result<[u8; 16], StoreError> {
    check_server(session).await?;
    for _ in 0..MAKE_TRIES {
        match relations(session, schema).await? {
            Relations::None { schema_exists } => make(session, schema, schema_exists).await?,
            Relations::Foreign => return Err(SchemaError::Foreign(schema.to_owned()).into()),
            Relations::WithMeta => {
                check_role(session, schema).await?;
                let meta = check_meta(session, schema, known_key, build).await?;
                return Ok(meta.id_key);
            }
        }
    }
    Err(StoreError::Busy)
}

/// Checks what [`prepare`] does and makes nothing. Returns the version of the tables; `None` if
/// there are none yet, which the first start makes.
///
/// # Errors
/// Returns an error if [`prepare`] would.
pub(super) async fn examine(session: &PgSession, schema: &str) -> Result<Option<u32>, StoreError> {
    check_server(session).await?;
    match relations(session, schema).await? {
        Relations::Foreign => Err(SchemaError::Foreign(schema.to_owned()).into()),
        Relations::WithMeta => {
            check_role(session, schema).await?;
            check_meta(session, schema, None, SCHEMA).await.map(|meta| Some(meta.version))
        }
        Relations::None { schema_exists: true } => {
            check_role(session, schema).await?;
            Ok(None)
        }
        Relations::None { schema_exists: false } => {
            let row = session.query_one(MAY_CREATE, &[]).await?;
            let (role, schema) = (row.get(0), schema.to_owned());
            if row.get(1) {
                Ok(None)
            } else {
                Err(SchemaError::MayNotCreate { role, schema }.into())
            }
        }
    }
}

/// The role, and whether it may make schemas.
const MAY_CREATE: &str =
    "SELECT current_user::text, has_database_privilege(current_database(), 'CREATE')";

/// Returns the key of the ids of the store in a schema, for a command that makes none.
///
/// # Errors
/// Returns an error if there is none, this build may not use it, or the database fails.
pub(super) async fn find(session: &PgSession, schema: &str) -> Result<[u8; 16], StoreError> {
    match relations(session, schema).await? {
        Relations::None { .. } => Err(SchemaError::NoStore(schema.to_owned()).into()),
        Relations::Foreign => Err(SchemaError::Foreign(schema.to_owned()).into()),
        Relations::WithMeta => {
            check_meta(session, schema, None, SCHEMA).await.map(|meta| meta.id_key)
        }
    }
}

/// Replaces the key of the ids by that of another store, whose rows are moved here.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn put_id_key(session: &PgSession, key: [u8; 16]) -> Result<(), StoreError> {
    let put = "UPDATE meta SET value = $2 WHERE name = $1";
    session.execute(put, &[&META_ID_KEY, &key.as_slice()]).await?;
    Ok(())
}

const SERVER: &str = "
    SELECT current_setting('server_version_num')::int4, current_setting('server_version'),
           current_setting('server_encoding'), current_setting('fsync'),
           current_setting('full_page_writes'), current_setting('synchronous_commit')";
/// Whether the schema is there, has anything, and has our table.
const RELATIONS: &str = "
    SELECT count(n.oid) > 0, count(c.oid) > 0, coalesce(bool_or(c.relname = 'meta'), false)
    FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid WHERE n.nspname = $1";
/// The role, whether it may make tables, and the owner of one that is not the role's.
const ROLE: &str = "
    SELECT current_user::text,
           has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE'),
           (SELECT pg_get_userbyid(relowner)::text FROM pg_class c WHERE relnamespace = n.oid
            AND NOT pg_has_role(relowner, 'USAGE') ORDER BY c.oid LIMIT 1)
    FROM pg_namespace n WHERE nspname = $1";

/// Checks what answerd needs of any server.
async fn check_server(session: &PgSession) -> Result<(), StoreError> {
    let row = session.query_one(SERVER, &[]).await?;
    if row.get::<_, i32>(0) < SERVER_VERSION_MIN {
        return Err(SchemaError::OldServer(row.get(1)).into());
    }
    let encoding: String = row.get(2);
    if encoding != "UTF8" {
        return Err(SchemaError::Encoding(encoding).into());
    }
    let settings = ["fsync", "full_page_writes", "synchronous_commit"];
    for (setting, column) in settings.into_iter().zip(3..) {
        let value: String = row.get(column);
        if value == "off" {
            return Err(SchemaError::NotDurable { setting, value }.into());
        }
    }
    Ok(())
}

/// The contents of a schema.
pub(super) enum Relations {
    None { schema_exists: bool },
    Foreign,
    WithMeta,
}

/// Looks what is in a schema.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn relations(session: &PgSession, schema: &str) -> Result<Relations, StoreError> {
    let row = session.query_one(RELATIONS, &[&schema]).await?;
    Ok(match (row.get(1), row.get(2)) {
        (_, true) => Relations::WithMeta,
        (true, false) => Relations::Foreign,
        (false, false) => Relations::None { schema_exists: row.get(0) },
    })
}

/// Makes all tables. Of two nodes that do so at once the second waits at the first statement that
/// both have, and then finds it done: no other lock is needed.
async fn make(session: &PgSession, schema: &str, schema_exists: bool) -> Result<(), StoreError> {
    let create = if schema_exists { String::new() } else { format!("CREATE SCHEMA {schema};") };
    let key: String = id::fresh_key()?.iter().map(|byte| format!("{byte:02x}")).collect();
    // Several statements in one message are one transaction.
    let statements = format!(
        "{create} {SCHEMA_SQL}
         INSERT INTO meta(name, value) VALUES ('{META_SCHEMA}', '{SCHEMA}'),
         ('{META_SCHEMA_MIN}', '{SCHEMA_MIN}'), ('{META_ID_KEY}', decode('{key}', 'hex'));"
    );
    let Err(error) = session.batch_execute(&statements).await else {
        return Ok(());
    };
    match error.class() {
        // Another node makes it at this moment, and is done or nearly so.
        ErrorClass::Duplicate | ErrorClass::Contended => {
            tokio::time::sleep(MAKE_PAUSE).await;
            Ok(())
        }
        // A schema that the role may not use is no place to make a table in.
        ErrorClass::Denied | ErrorClass::TableMissing => {
            let role = session.query_one("SELECT current_user::text", &[]).await?.get(0);
            Err(SchemaError::MayNotCreate { role, schema: schema.to_owned() }.into())
        }
        ErrorClass::ConnectionLost
        | ErrorClass::Overloaded
        | ErrorClass::Corrupted
        | ErrorClass::Refused => Err(error.into()),
    }
}

/// Checks that the tables have not been changed, since this process started, to what it cannot use.
///
/// # Errors
/// Returns an error if they have, or the database fails.
pub(super) async fn check_still_usable(
    session: &PgSession,
    schema: &str,
    build: u32,
) -> Result<(), StoreError> {
    let text = "SELECT convert_from(value, 'UTF8') FROM meta WHERE name = $1";
    let found = session.query_opt(text, &[&META_SCHEMA_MIN]).await?;
    let needed = found.and_then(|row| row.get::<_, String>(0).parse::<u32>().ok());
    match needed.filter(|needed| *needed > build) {
        Some(needed) => Err(SchemaError::Newer { schema: schema.to_owned(), needed, build }.into()),
        None => Ok(()),
    }
}

/// What the tables say of themselves.
struct SchemaMeta {
    version: u32,
    id_key: [u8; 16],
}

/// Checks the version, and that the ids are those of before.
async fn check_meta(
    session: &PgSession,
    schema: &str,
    known_key: Option<[u8; 16]>,
    build: u32,
) -> Result<SchemaMeta, StoreError> {
    let foreign = || SchemaError::Foreign(schema.to_owned());
    let rows = match session.query("SELECT name, value FROM meta LIMIT 100", &[]).await {
        // A table of that name with other columns.
        Err(error) if error.class() == ErrorClass::Refused => return Err(foreign().into()),
        rows => rows?,
    };
    let value = |name: &str| {
        let row = rows.iter().find(|row| row.try_get(0).is_ok_and(|found: &str| found == name))?;
        row.try_get::<_, Vec<u8>>(1).ok()
    };
    let version = |name| String::from_utf8(value(name)?).ok()?.parse::<u32>().ok();
    let found = version(META_SCHEMA).ok_or_else(foreign)?;
    let needed = version(META_SCHEMA_MIN).ok_or_else(foreign)?;
    if needed > build {
        return Err(SchemaError::Newer { schema: schema.to_owned(), needed, build }.into());
    }
    if found < build {
        return Err(SchemaError::Older { schema: schema.to_owned(), found, build }.into());
    }
    let key = value(META_ID_KEY).and_then(|key| <[u8; 16]>::try_from(key).ok());
    let key = key.ok_or(StoreError::Damaged("the key of the ids is missing"))?;
    if known_key.is_some_and(|known| known != key) {
        return Err(SchemaError::OtherKey(schema.to_owned()).into());
    }
    Ok(SchemaMeta { version: found, id_key: key })
}

/// Checks that the role may make tables in the schema and owns those that are there: only an owner
/// may drop a table.
async fn check_role(session: &PgSession, schema: &str) -> Result<(), StoreError> {
    let row = session.query_one(ROLE, &[&schema]).await?;
    let (role, schema): (String, _) = (row.get(0), schema.to_owned());
    if let Some(owner) = row.get(2) {
        return Err(SchemaError::NotOwner { role, schema, owner }.into());
    }
    if !row.get::<_, bool>(1) {
        return Err(SchemaError::MayNotCreate { role, schema }.into());
    }
    Ok(())
}
