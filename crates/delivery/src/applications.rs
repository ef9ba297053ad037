//! Applications in filters: by name or by id, whichever an event carries.

use hitwire_event::filter::Filter;
use hitwire_store::{Application, Integration, Store, StoreError};

/// The filter as events are to be matched with it: what it names by id is found by name too, and the other way round.
pub async fn matching(
    store: &dyn Store,
    client: hitwire_event::ClientId,
    filter: Filter,
) -> Result<Filter, StoreError> {
    if filter.applications.is_empty() {
        return Ok(filter);
    }
    let applications = store.applications(client).await?;
    Ok(filter.with_synonyms_of_applications(|entry| synonyms(&applications, entry)))
}

/// The same in an integration.
pub(crate) async fn matching_in(
    store: &dyn Store,
    mut integration: Integration,
) -> Result<Integration, StoreError> {
    let filter = std::mem::take(&mut integration.filter);
    integration.filter = matching(store, integration.client, filter).await?;
    Ok(integration)
}

/// What else an application is called that a filter names.
fn synonyms(applications: &[Application], entry: &str) -> Vec<String> {
    let other = |application: &Application| {
        let id = application.id.to_string();
        if id == entry { Some(application.name.clone()) } else { (application.name == entry).then_some(id) }
    };
    applications.iter().filter_map(other).collect()
}
