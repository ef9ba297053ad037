//! `/v1/user`: what people may change of their own account.

use super::resource::Resource as _;
use super::users::UserAnswer;
use super::{asked, name};
use crate::contract::OwnSetting;
use crate::description::schema::{OwnSettings, Success};
use crate::fields::Fields;
use crate::incoming::IncomingCall;
use crate::problem::Problem;
use crate::query::Query;
use crate::{Shared, success};
use axum::extract::State;
use axum::response::Response;
use hitwire_store::change::user as change;
use jiff::tz::TimeZone;

/// Characters of a time zone's name; the longest that there is has 32.
const TIME_ZONE_CHARS_MAX: usize = 64;

/// One's own name, and the time zone in which the console shows times. The e-mail, which says who somebody is, and the role are for administrators to change.
#[utoipa::path(
    put,
    path = "/v1/user",
    tag = "accounts",
    operation_id = "changeOwnUser",
    request_body = OwnSettings,
    responses((status = 200, description = "The user as it is now.", body = Success<UserAnswer>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn change(
    State(api): State<Shared>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let asked = asked(&api, incoming, "changed", |fields, _| (name(fields, "name"), time_zone(fields)));
    let (caller, (name, time_zone)) = asked.await?;
    let Some(own) = &caller.identity.user else {
        return Err(Problem::conflict("the token belongs to no user, so there is no account of its own"));
    };
    let _making = api.making.wait(caller.holder()).await;
    let Some(before) = api.store.user(own.id).await? else { return Err(Problem::internal()) };
    let mut after = before.clone();
    after.name = name.unwrap_or(after.name);
    after.time_zone = time_zone.or(Some(before.time_zone.clone()), None);
    if let Some(ops) = change::changed(&before, after.clone(), &api.by(&caller)) {
        api.accounts.commit(&caller.identity, ops).await?;
    }
    Ok(success(after.answer()))
}

/// Takes the name of a time zone, in the spelling of the time zone database. The default is the browser's.
fn time_zone(fields: &mut Fields<'_>) -> OwnSetting<Option<String>> {
    if !fields.has("time_zone") {
        return OwnSetting::LeftOut;
    }
    if !fields.tells("time_zone") {
        fields.raw("time_zone");
        return OwnSetting::Default;
    }
    // What is wrong is noted, and then this is of no use.
    let Some(name) = fields.string("time_zone") else { return OwnSetting::LeftOut };
    let known = (name.len() <= TIME_ZONE_CHARS_MAX).then(|| TimeZone::get(&name).ok()).flatten();
    if let Some(name) = known.as_ref().and_then(TimeZone::iana_name) {
        OwnSetting::Given(Some(name.to_owned()))
    } else {
        fields.refuse("time_zone", "is not one that this system knows; write it as Europe/Berlin");
        OwnSetting::LeftOut
    }
}
