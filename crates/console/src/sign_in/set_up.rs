//! Links that are good once, with which people choose a password: the first user, who is made with a link that stands in a file which
//! only the owner of the data directory can read, and those for whom an administrator made one.

use super::{Proof, password, record, signed_in};
use crate::Shared;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::session::{self, hash, random};
use askama::Template;
use axum::extract::{Path as UrlPath, State};
use axum::response::{Html, IntoResponse, Response};
use axum_extra::extract::cookie::CookieJar;
use hitwire_event::ClientId;
use hitwire_store::{Credential, Done, Link, Op, Role, Secret, Sequence, Store, StoreError, User, UserId};
use http::StatusCode;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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
        // A link that nobody used is dead by now.
        let _ = fs::remove_file(&path);
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
struct FirstPage<'a> {
    name: &'a str,
    email: &'a str,
    name_error: &'a str,
    email_error: &'a str,
    password_error: &'a str,
}

#[derive(Template)]
#[template(path = "sign_in/choose.html")]
struct ChoosePage<'a> {
    name: &'a str,
    email: &'a str,
    password_error: &'a str,
}

/// Whom a link is for.
enum For {
    /// The first user, who is made with it.
    First,
    Somebody(User),
}

/// The page behind the link.
pub(super) async fn form(
    State(console): State<Shared>,
    UrlPath(token): UrlPath<String>,
) -> Result<Html<String>, Failure> {
    Ok(Html(match check(&console, &token).await? {
        For::First => FirstPage::default().render()?,
        For::Somebody(user) => {
            ChoosePage { name: &user.name, email: &user.email, password_error: "" }.render()?
        }
    }))
}

/// Takes the password, and signs its user in.
pub(super) async fn set_up(
    State(console): State<Shared>,
    UrlPath(token): UrlPath<String>,
    from: session::From,
    jar: CookieJar,
    fields: Fields,
) -> Result<Response, Failure> {
    let sha256 = hash(&token);
    match check(&console, &token).await? {
        For::First => first(&console, sha256, &from, jar, &fields).await,
        For::Somebody(user) => choose(&console, sha256, &user, &from, jar, &fields).await,
    }
}

/// Makes the first user.
async fn first(
    console: &Shared,
    sha256: [u8; 32],
    from: &session::From,
    jar: CookieJar,
    fields: &Fields,
) -> Result<Response, Failure> {
    let (name, email) = (fields.get("name").trim(), fields.get("email").trim());
    let problem = password::problem(fields.get("password"), fields.get("password_again"), email);
    let mut page = FirstPage { name, email, password_error: &problem, ..FirstPage::default() };
    if name.is_empty() || name.chars().count() > 128 || name.chars().any(char::is_control) {
        page.name_error = "Enter your name, up to 128 characters.";
    }
    if !is_email(email) {
        page.email_error = "Enter an e-mail address, such as jane@example.com.";
    }
    if [page.name_error, page.email_error, page.password_error].iter().any(|error| !error.is_empty()) {
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.render()?)).into_response());
    }
    let password = console.sign_in.passwords.hash(Secret::new(fields.get("password"))).await?;
    let id = match console.store.commit(vec![Op::NextId(Sequence::User)]).await?.pop() {
        Some(Done::Id(id)) => UserId(id),
        _ => return Err(StoreError::Closed.into()),
    };
    let now_s = console.now_s();
    let user = User {
        id,
        uuid: hitwire_store::new_uuid().to_string(),
        client: ClientId(1),
        email: email.to_owned(),
        name: name.to_owned(),
        role: Role::Operator,
        enabled: true,
        created_at: now_s,
        created_by: email.to_owned(),
        time_zone: None,
        revision: 0,
    };
    let credential = Credential {
        user: id,
        password: Some(password),
        password_set_at: Some(now_s),
        ..Credential::default()
    };
    // All in one: of two who use the link at the same time, one finds it used.
    let mut ops = vec![Op::RedeemLink { sha256 }];
    ops.extend((console.first_user)(user.clone(), now_s));
    ops.push(Op::PutCredential(credential));
    let proof = Proof { user: &user, with: "link", from };
    let answer = signed_in(console, proof, ops, jar, "/").await?;
    let file = path(&console.data_dir);
    if let Err(error) = fs::remove_file(&file) {
        tracing::warn!(file = %file.display(), %error, "the used set-up link could not be deleted");
    }
    tracing::info!(user = %id, "the first user was made");
    Ok(answer)
}

/// Sets the password of somebody for whom an administrator made the link.
async fn choose(
    console: &Shared,
    sha256: [u8; 32],
    user: &User,
    from: &session::From,
    jar: CookieJar,
    fields: &Fields,
) -> Result<Response, Failure> {
    let problem = password::problem(fields.get("password"), fields.get("password_again"), &user.email);
    if !problem.is_empty() {
        let page = ChoosePage { name: &user.name, email: &user.email, password_error: &problem };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.render()?)).into_response());
    }
    let password = console.sign_in.passwords.hash(Secret::new(fields.get("password"))).await?;
    let before = console.store.credential(user.id).await?.unwrap_or_default();
    let credential = Credential {
        user: user.id,
        revision: before.revision,
        password: Some(password),
        password_set_at: Some(console.now_s()),
        subject: before.subject,
        ..Credential::default()
    };
    let ops = vec![
        Op::RedeemLink { sha256 },
        Op::PutCredential(credential),
        Op::DeleteSessions { user: user.id, but: None },
        record::changed(user, "set_password"),
    ];
    signed_in(console, Proof { user, with: "link", from }, ops, jar, "/").await
}

/// Whom a link is for; refuses one that is not, or no longer, good.
async fn check(console: &Shared, token: &str) -> Result<For, Failure> {
    let link = if token.len() <= 64 { console.store.link(hash(token)).await? } else { None };
    let link = link.filter(|link| console.now_s() < link.expires_at);
    let whom = match link {
        Some(Link { user: None, .. }) => Some(For::First),
        Some(Link { user: Some(id), .. }) => {
            console.store.user(id).await?.filter(|user| user.enabled).map(For::Somebody)
        }
        None => None,
    };
    whom.ok_or_else(|| {
        Failure::new(
            StatusCode::GONE,
            "This link is not good any more",
            "Such a link is good once: for 72 hours if an administrator made it, who can make another; for 30 minutes if it stands in \
             the file set-up-link. While there is nobody who can sign in, each start of hitwire writes a new one to that file in \
             its data directory.",
        )
    })
}

/// Whether it looks like an address; whether somebody reads there is not for a pattern to say.
fn is_email(text: &str) -> bool {
    text.len() <= 254
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}
