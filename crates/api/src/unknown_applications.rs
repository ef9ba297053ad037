//! Filters that name an application that is not set up: they may find nothing, and whoever sets them is told.

use super::Shared;
use super::problem::{FieldError, Problem};
use hitwire_event::ClientId;
use hitwire_event::escape::visible;
use hitwire_event::filter::Filter;
use hitwire_store::Application;

/// A warning for each entry that is neither id nor name of an application of the client. It is no error: events may carry
/// names that are set up nowhere.
pub(super) async fn warnings(
    api: &Shared,
    client: ClientId,
    filter: &Filter,
) -> Result<Vec<FieldError>, Problem> {
    if filter.applications.is_empty() {
        return Ok(Vec::new());
    }
    Ok(of(filter, &api.store.applications(client).await?))
}

fn of(filter: &Filter, applications: &[Application]) -> Vec<FieldError> {
    let is_known = |entry: &str| {
        applications
            .iter()
            .any(|application| application.name == entry || application.id.to_string() == entry)
    };
    let entries = filter.applications.iter().enumerate();
    let unknown = entries.filter(|(_, entry)| !is_known(entry.as_str()));
    let warning = |(at, entry): (usize, &hitwire_event::filter::ApplicationName)| {
        FieldError::at(
            format!("/filter/applications/{at}"),
            format!(
                "\"{}\" is neither the name nor the id of an application that is set up; only events that carry exactly this are sent",
                visible(entry.as_str())
            ),
        )
    };
    unknown.map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_a_name_nor_an_id_is_warned_of() {
        let application = |id, name: &str| Application { client: ClientId(1), id, name: name.to_owned() };
        let applications = [application(-1, "default"), application(12, "shop")];
        let filter = serde_json::from_str(r#"{"applications":["shop","12","-1","Shop","13","\u202e"]}"#);
        let warnings = of(&filter.expect("a filter"), &applications);
        let places: Vec<_> = warnings.iter().map(|warning| &*warning.pointer).collect();
        assert_eq!(places, ["/filter/applications/3", "/filter/applications/4", "/filter/applications/5"]);
        assert!(warnings[2].message.starts_with("\"\\u{202e}\" is neither"), "{}", warnings[2].message);
    }
}
