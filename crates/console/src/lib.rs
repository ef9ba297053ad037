//! The console: pages for people.
//!
//! It is a client of the API, in process: what a page changes, and most of what it shows, is a request to the API's own router, made in
//! the name of whoever is signed in. So the console holds no policy: who may do what, what is valid, what the activity log says
//! of it and which events tell it is decided in one place for both. It reads the store itself only where a page needs a page's worth
//! of something that the API gives whole.
//!
//! The cast:
//!
//! - [`Console`]: what the pages stand on, given by the server. [`router`]: all pages.
//! - `session`: who is signed in; `fields`: what a form sends, once it is sure that a page of ours sent it.
//! - `calls`: requests to the API in somebody's name; `failure`: what a page says when something is refused.
//! - `frame`: what stands around every page. `zone`: in which time zone. `text`: how values are written; everything that a template prints is made harmless
//!   there. `live`: pages that stay open and are told what is new. `assets`: style sheet and scripts, the only ones that a page may load (`guard` says so to the browser).
//! - the pages, one module an area, templates in folders of the same names.
//!
//! Every form works without a script: it posts, and is answered with a redirect or with the page again.

mod activity;
mod applications;
mod assets;
mod calls;
mod charts;
mod failure;
mod fields;
mod frame;
mod general;
mod guard;
mod installation;
mod live;
mod profile;
mod session;
mod sign_in;
mod sources;
mod text;
mod tokens;
mod users;
mod zone;

mod dashboard;
mod deliveries;
mod events;
mod integrations;

pub use fields::{HeldBody, ReadBody};
pub use guard::HTML_POLICY;
pub use installation::{Installation, Setting, Tells};
pub use live::Places;
pub use session::{Lifetime, expire};
pub use sign_in::{ProviderSettings, SignIn, SignInSettings, set_up};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use hitwire_event::ClientId;
use hitwire_index::Index;
use hitwire_store::{Op, Role, Store, User};
use http::{HeaderMap, Method, StatusCode};
use session::Session;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the pages stand on.
pub struct Console {
    /// Accounts and sessions, and reads of a page's size.
    pub store: Arc<dyn Store>,
    /// Lists, searches and charts.
    pub index: Index,
    /// The API, without the console.
    pub api: Router,
    /// Whether a role may make a call of the API: method and path as it is routed (`/v2/integration/{id}`).
    pub may: fn(&Method, &str, Role) -> bool,
    /// Whether a client is enabled: if it is not, nobody of it is let in.
    pub is_enabled: Box<dyn Fn(ClientId) -> bool + Send + Sync>,
    /// Reads what a form sends, within the bounds that all bodies have.
    pub read_body: ReadBody,
    /// The ops that make a user by the user's own hand, at this time (Unix seconds): the first one.
    pub first_user: fn(User, u64) -> Vec<Op>,
    /// Wall clock, milliseconds since the Unix epoch.
    pub now_ms: Box<dyn Fn() -> u64 + Send + Sync>,
    /// What signing in stands on.
    pub sign_in: SignIn,
    /// What the installation is called.
    pub product: String,
    /// Where log, state and the set-up link are.
    pub data_dir: PathBuf,
    /// How the installation is set up.
    pub installation: Installation,
    /// Cancelled when hitwire stops: pages that stay open end then.
    pub stop: CancellationToken,
    /// What goes on beside the answers; hitwire waits for it when it stops.
    pub tasks: TaskTracker,
    /// Places for pages that stay open: [`Places::default`].
    pub live: Places,
}

/// How handlers get at it.
pub(crate) type Shared = Arc<Console>;

impl Console {
    /// Unix seconds.
    pub(crate) fn now_s(&self) -> u64 {
        (self.now_ms)() / 1_000
    }
}

/// All pages. It has no fallback: the server joins it with the API.
pub fn router(console: Console) -> Router {
    let console = Arc::new(console);
    Router::new()
        .route("/", get(|| async { Redirect::to("/dashboard") }))
        .route("/settings", get(settings))
        .merge(activity::routes())
        .merge(general::routes())
        .merge(sign_in::routes())
        .merge(sources::routes())
        .merge(dashboard::routes())
        .merge(events::routes())
        .merge(integrations::routes())
        .merge(profile::routes())
        .merge(applications::routes())
        .merge(tokens::routes())
        .merge(users::routes())
        .merge(deliveries::routes())
        .merge(live::routes())
        .layer(axum::middleware::from_fn(zone::for_request))
        .layer(axum::middleware::from_fn(guard::headers))
        .merge(assets::routes())
        .with_state(console)
}

/// The first tab that whoever is signed in may see much of.
async fn settings(State(console): State<Shared>, session: Session) -> Redirect {
    Redirect::to(frame::settings_path(&console, &session))
}

/// What is answered to a browser that asks for what is not there; none: whoever asks is no browser.
pub fn not_found(headers: &HeaderMap) -> Option<Response> {
    let accept = headers.get(http::header::ACCEPT)?.to_str().ok()?;
    accept.contains("text/html").then(|| {
        let response = failure::page(
            StatusCode::NOT_FOUND,
            "There is no such page",
            "The address may be mistyped, or what it showed is gone.",
        );
        guard::guarded(response.into_response())
    })
}
