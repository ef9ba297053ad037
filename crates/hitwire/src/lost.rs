//! `hitwire lost`: what an integration did not get.

use crate::failure::Failure;
use crate::integration::find::{PATH, id_of, named};
use crate::pages::{Paging, Query};
use crate::remote::{Common, Object};
use crate::table::Table;
use crate::units;
use serde_json::Value;

/// What `hitwire lost` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The integration: its id, or its name
    #[arg(value_name = "ID|NAME")]
    which: String,

    #[command(flatten)]
    paging: Paging,

    #[command(flatten)]
    common: Common,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let Args { which, paging, common: Common { output, tenant, remote } } = args;
    let mut session = remote.session()?;
    let id = id_of(&named(&mut session, tenant, &which).await?)?;
    let path = format!("{PATH}/{id}/lost");
    let listing = session.listing(&path, "lost", Query::default(), paging, tenant).await?;
    listing.print(output, "lost range", |ranges| table(ranges.iter().map(|Object { value, .. }| value)))
}

/// Lost ranges, a row each.
pub(crate) fn table<'a>(ranges: impl IntoIterator<Item = &'a Value>) -> Table {
    let mut table = Table::new(&["LOST", "EVENTS", "RANGE", "WHY", "DETAIL"]);
    for range in ranges {
        let text = |name: &str| range[name].as_str().unwrap_or("-").to_owned();
        let number = |name: &str| range[name].as_u64().unwrap_or(0);
        table.row([
            text("recorded_at").into(),
            units::count(number("events")).into(),
            format!("{} {}-{}", text("range"), number("first"), number("last")).into(),
            text("reason").into(),
            text("detail").into(),
        ]);
    }
    table
}
