//! Whether an integration is there, and whether it is enabled: what the ledger asks of the registry.

use crate::Activity;
use crate::sqlite::state::codes::{from_json, to_json};
use crate::sqlite::state::context::Trouble;
use hitwire_event::IntegrationId;
use rusqlite::{Connection, Row, params};

const DISABLE: &str =
    "UPDATE integration SET disabled = ?2, revision = revision + 1 WHERE id = ?1 AND disabled IS NULL";

/// In the column `disabled`: a user did it. Anything else is the JSON of hitwire's reason.
const BY_USER: &str = "user";

/// Disables an integration for a reason of hitwire's own, unless it is disabled already.
pub(in crate::sqlite) fn disable(
    connection: &Connection,
    id: IntegrationId,
    reason: &hitwire_courier::DisableReason,
) -> Result<(), Trouble> {
    let reason = Activity::DisabledAutomatically(reason.clone());
    connection.prepare_cached(DISABLE)?.execute(params![id.0 as i64, disabled(&reason)?])?;
    Ok(())
}

/// Whether a value of the column `disabled` means that a user did it.
pub(in crate::sqlite) fn is_by_user(disabled: Option<&str>) -> bool {
    disabled == Some(BY_USER)
}

/// Of a row whose fourth column is `disabled`.
pub(in crate::sqlite) fn activity(row: &Row<'_>) -> Result<Activity, Trouble> {
    match row.get_ref(3)?.as_str_or_null()? {
        None => Ok(Activity::Active),
        Some(BY_USER) => Ok(Activity::DisabledByUser),
        Some(reason) => Ok(Activity::DisabledAutomatically(from_json(reason.as_bytes(), 3)?)),
    }
}

/// What stands in the column `disabled`.
pub(in crate::sqlite) fn disabled(activity: &Activity) -> Result<Option<String>, Trouble> {
    match activity {
        Activity::Active => Ok(None),
        Activity::DisabledByUser => Ok(Some(BY_USER.to_owned())),
        Activity::DisabledAutomatically(reason) => to_json(reason).map(Some),
    }
}
