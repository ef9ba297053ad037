//! A thing of the API by its id or by its name.

use crate::failure::Failure;
use crate::remote::{Object, Session, Tenant};
use crate::terminal;
use http::Method;

/// The API's path of integrations.
pub(crate) const PATH: &str = "/v2/integration";

/// The object with this id; else the one with this name (`/name`, or `/email` where there is one).
///
/// # Errors
///
/// When there is none, or several have the name: then their ids are named.
pub(crate) fn one(objects: Vec<Object>, what: &str, which: &str) -> Result<Object, Failure> {
    let id: Option<i64> = which.parse().ok();
    if let Some(object) = objects.iter().find(|object| id.is_some() && object.value["id"].as_i64() == id) {
        return Ok(object.clone());
    }
    let is_named =
        |object: &Object| ["/name", "/email"].into_iter().any(|pointer| object.text(pointer) == Some(which));
    let mut named: Vec<_> = objects.into_iter().filter(is_named).collect();
    match named.len() {
        1 => Ok(named.swap_remove(0)),
        0 => Err(Failure::Runtime(format!(
            "there is no {what} with the id or the name {which:?}; `hitwire {what} list` shows all"
        ))),
        several => {
            let ids: Vec<_> = named
                .iter()
                .filter_map(|object| object.value["id"].as_i64())
                .map(|id| id.to_string())
                .collect();
            Err(Failure::Usage(format!(
                "{several} {what}s are called {}; say which by its id: {}",
                terminal::safe(which),
                ids.join(", ")
            )))
        }
    }
}

/// The integration with this id or name, with all of its settings.
pub(crate) async fn named(session: &mut Session, tenant: Tenant, which: &str) -> Result<Object, Failure> {
    let listed = listed(session, tenant, which).await?;
    if let Some(why) = listed.text("/broken") {
        return Err(Failure::Runtime(terminal::safe(why)));
    }
    let id = id_of(&listed)?;
    // The list shows certificates as their mask.
    Ok(session.object(Method::GET, &tenant.path(&format!("{PATH}/{id}")), ()).await?)
}

/// The same as it is listed: if its stored settings are damaged, `/broken` tells why.
pub(crate) async fn listed(session: &mut Session, tenant: Tenant, which: &str) -> Result<Object, Failure> {
    one(session.listed(&tenant.path(PATH)).await?, "integration", which)
}

/// The id of an answered object. That of an application may be below 0.
pub(crate) fn id_of(object: &Object) -> Result<i64, Failure> {
    object.value["id"].as_i64().ok_or_else(|| {
        Failure::Runtime("the server does not answer like hitwire: an object has no id".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(which: &str) -> Result<u64, Failure> {
        let objects = [
            json!({"id": 1, "name": "SIEM"}),
            json!({"id": 2, "name": "1"}),
            json!({"id": 3, "name": "SIEM"}),
        ]
        .map(|value| Object { json: serde_json::value::to_raw_value(&value).unwrap(), value });
        one(objects.into(), "integration", which).map(|object| object.number("/id").unwrap())
    }

    #[test]
    fn an_id_comes_before_a_name() {
        assert_eq!(found("1").unwrap(), 1);
        assert_eq!(found("3").unwrap(), 3);
    }

    #[test]
    fn a_name_that_several_have_is_refused_with_their_ids() {
        let Err(Failure::Usage(words)) = found("SIEM") else { panic!("ambiguous") };
        assert_eq!(words, "2 integrations are called SIEM; say which by its id: 1, 3");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let Err(Failure::Runtime(words)) = found("Chat") else { panic!("not there") };
        assert!(words.contains("\"Chat\"") && words.contains("hitwire integration list"), "{words}");
    }
}
