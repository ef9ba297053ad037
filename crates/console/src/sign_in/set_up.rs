//! The first user: made with a link that is good once, for half an hour, and that stands in a file which only the owner of the data
//! directory can read.

use super::{password, signed_in};
use crate::Shared;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::session::{self, hash, random};
use askama::Template;
use axum::extract::{Path as UrlPath, State};
use axum::response::{Html, IntoResponse, Response};
use axum_extra::extract::cookie::CookieJar;
use hitwire_event::ClientId;
use hitwire_log::{Credential, Done, Link, Op, Role, Sequence, Store, StoreError, User, UserId};
use http::StatusCode;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The file in the data directory.
const FILE: &str = "set-up-link";

/// How long the link is good, seconds.
const GOOD_FOR_S: u64 = 1_800;

/// Where the link is.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// If nobody can sign in yet: a new link in the file, in place of an older one. `base`: the address of the console. Answers
/// where the file is; none: there is somebody who can sign in.
///
/// # Errors
///
/// Those of the store, and of the file.
pub async fn write_link(
    store: &dyn Store,
    data_dir: &Path,
    base: &str,
    now_s: u64,
) -> Result<Option<PathBuf>, StoreError> {
    let path = path(data_dir);
    if store.anybody_signs_in().await? {
        return Ok(None);
    }
    let failed = |problem: String| StoreError::Open(format!("{}: {problem}", path.display()));
    let token = random().map_err(|error| failed(error.to_string()))?;
    let link = Link { sha256: hash(&token), user: None, expires_at: now_s + GOOD_FOR_S };
    store.commit(vec![Op::PutLink(link)]).await?;
    let written = || {
        // Made anew, so that the mode is right whatever was there before.
        if path.exists() {
            fs::remove_file(&path)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        writeln!(file, "{}/set-up/{token}", base.trim_end_matches('/'))?;
        file.sync_all()
    };
    written().map_err(|error: std::io::Error| failed(error.to_string()))?;
    Ok(Some(path))
}

#[derive(Default, Template)]
#[template(path = "sign_in/set_up.html")]
struct SetUpPage<'a> {
    name: &'a str,
    email: &'a str,
    name_error: &'a str,
    email_error: &'a str,
    password_error: &'a str,
}

/// The page behind the link.
pub(super) async fn form(
    State(console): State<Shared>,
    UrlPath(token): UrlPath<String>,
) -> Result<Html<String>, Failure> {
    check(&console, &token).await?;
    Ok(Html(SetUpPage::default().render()?))
}

/// Makes the first user, who is signed in then.
pub(super) async fn set_up(
    State(console): State<Shared>,
    UrlPath(token): UrlPath<String>,
    from: session::From,
    jar: CookieJar,
    fields: Fields,
) -> Result<Response, Failure> {
    check(&console, &token).await?;
    let (name, email) = (fields.get("name").trim(), fields.get("email").trim());
    let mut page = SetUpPage { name, email, ..SetUpPage::default() };
    if name.is_empty() || name.chars().count() > 128 || name.chars().any(char::is_control) {
        page.name_error = "Enter your name, up to 128 characters.";
    }
    if !is_email(email) {
        page.email_error = "Enter an e-mail address, such as jane@example.com.";
    }
    page.password_error = match password::problem(fields.get("password")) {
        Some(problem) => problem,
        None if fields.get("password") != fields.get("password_again") => "The two passwords differ.",
        None => "",
    };
    if [page.name_error, page.email_error, page.password_error].iter().any(|error| !error.is_empty()) {
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.render()?)).into_response());
    }
    let password = password::hash(fields.get("password").to_owned()).await?;
    let id = match console.store.commit(vec![Op::NextId(Sequence::User)]).await?.pop() {
        Some(Done::Id(id)) => UserId(id),
        _ => return Err(StoreError::Closed.into()),
    };
    let now_s = console.now_s();
    let user = User {
        id,
        uuid: Uuid::now_v7().to_string(),
        client: ClientId(1),
        email: email.to_owned(),
        name: name.to_owned(),
        role: Role::Operator,
        enabled: true,
        created_at: now_s,
        created_by: email.to_owned(),
        revision: 0,
    };
    let credential = Credential {
        user: id,
        password: Some(password),
        password_set_at: Some(now_s),
        ..Credential::default()
    };
    // All in one: of two who use the link at the same time, one finds it used.
    let mut ops = vec![Op::RedeemLink { sha256: hash(&token) }];
    ops.extend((console.first_user)(user.clone(), now_s));
    ops.push(Op::PutCredential(credential));
    console.store.commit(ops).await?;
    let file = path(&console.data_dir);
    if let Err(error) = fs::remove_file(&file) {
        tracing::warn!(file = %file.display(), %error, "the used set-up link could not be deleted");
    }
    tracing::info!(user = %id, "the first user was made");
    signed_in(&console, &user, "link", &from, jar, "/").await
}

/// Refuses a link that is not, or no longer, good.
async fn check(console: &Shared, token: &str) -> Result<(), Failure> {
    let link = if token.len() <= 64 { console.store.link(hash(token)).await? } else { None };
    match link {
        Some(Link { user: None, expires_at, .. }) if console.now_s() < expires_at => Ok(()),
        _ => Err(Failure::new(
            StatusCode::GONE,
            "This link is not good any more",
            "A set-up link is good once, for 30 minutes. While there is nobody who can sign in, each start of hitwire writes a new \
             one to the file set-up-link in its data directory.",
        )),
    }
}

/// Whether it looks like an address; whether somebody reads there is not for a pattern to say.
fn is_email(text: &str) -> bool {
    text.len() <= 254
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}
