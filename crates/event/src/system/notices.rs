//! The words and fields of each event.

use super::{ApplicationRef, IntegrationRef, ReplayAct, System, TokenRef, User};
use crate::escape::visible;
use crate::notice::{Changed, Notice, ending};
use crate::time::written;
use crate::{Actor, Kind};
use std::fmt;

/// The type of the only event whose classic form is published in full.
pub const CREATE_USER: &str = "create_user";

/// What that form consists of; a receiver of 2020 knows no other fields.
pub const CREATE_USER_CLASSIC: [&str; 4] = ["summary", "email", "role", "created_by"];

/// The summary that the original's envelope has for it, in place of the classic one.
pub const CREATE_USER_ENVELOPE: &str = "New user was added to the company account";

/// What `integration_type` is: the name of webhooks in the API.
const WEB_HOOKS: &str = "web_hooks";

impl System {
    pub(super) fn notice(&self) -> Notice<'_> {
        match self {
            System::UserCreated { user, by } => system(
                CREATE_USER,
                "New user was created",
                format!(
                    "A new user {user} with the role {} was added to the company account by {by}.",
                    visible(&user.role)
                ),
            )
            // These three in this order: see CREATE_USER_CLASSIC.
            .text("email", &user.email)
            .text("role", &user.role)
            .created_by(by)
            .text("name", &user.name),
            System::UserDeleted { user, by } => system(
                "delete_user",
                "User was deleted",
                format!(
                    "The user {user} with the role {} was deleted from the company account by {by}.",
                    visible(&user.role)
                ),
            )
            .user(user)
            .changed_by(by),
            System::UserRoleChanged { user, previous_role, by } => system(
                "update_user",
                "User role was changed",
                format!(
                    "The role of the user {user} was changed from {} to {} by {by}.",
                    visible(previous_role),
                    visible(&user.role)
                ),
            )
            .user(user)
            .text("previous_role", previous_role)
            .changed_by(by),
            System::IntegrationCreated { integration, by } => system(
                "create_integration",
                "New integration was created",
                format!("{integration} was created by {by}."),
            )
            .integration(integration)
            .created_by(by),
            System::IntegrationChanged { integration, settings, by } => system(
                "update_integration",
                "Integration was changed",
                format!("{integration} was changed by {by}.{}", Changed(settings)),
            )
            .integration(integration)
            .texts("changed", settings)
            .changed_by(by),
            System::IntegrationEnabled { integration, resumes_missed, by } => {
                let (resume, words) = match resumes_missed {
                    true => ("missed", "What was missed meanwhile is sent."),
                    false => ("now", "It goes on from now; what was missed meanwhile is not sent."),
                };
                system(
                    "enable_integration",
                    "Integration was enabled",
                    format!("{integration} was enabled by {by}. {words}"),
                )
                .integration(integration)
                .text("resume", resume)
                .changed_by(by)
            }
            System::IntegrationDisabled { integration, by } => system(
                "disable_integration",
                "Integration was disabled",
                format!("{integration} was disabled by {by}."),
            )
            .integration(integration)
            .changed_by(by),
            System::IntegrationBroken { integration, reason } => system(
                "integration_broken",
                "Integration was disabled automatically",
                format!("{integration} was disabled automatically: {}.", ending(reason)),
            )
            .integration(integration)
            .text("reason", reason),
            System::IntegrationRetried { integration, by } => system(
                "retry_integration",
                "Delivery was retried",
                format!("{integration} is sent at once what waits for it, as {by} wants it."),
            )
            .integration(integration)
            .changed_by(by),
            System::Replay { integration, what, act, by } => replay(integration, what, *act, by),
            System::IntegrationDeleted { integration, by } => system(
                "delete_integration",
                "Integration was deleted",
                format!("{integration} was deleted by {by}."),
            )
            .integration(integration)
            .changed_by(by),
            System::ApplicationCreated { application, by } => system(
                "create_application",
                "New application was created",
                format!("{application} was created by {by}."),
            )
            .application(application)
            .created_by(by),
            System::ApplicationDeleted { application, by } => system(
                "delete_application",
                "Application was deleted",
                format!("{application} was deleted by {by}."),
            )
            .application(application)
            .changed_by(by),
            System::ApplicationRenamed { application, previous_name, by } => system(
                "update_application",
                "Application was renamed",
                format!(
                    "The application \"{}\" was renamed to \"{}\" by {by}.",
                    visible(previous_name),
                    visible(&application.name)
                ),
            )
            .application(application)
            .text("previous_name", previous_name)
            .changed_by(by),
            System::TokenCreated { token, expires_s, by } => token_created(token, *expires_s, by),
            System::TokenRevoked { token, by } => {
                system("revoke_token", "API token was revoked", format!("{token} was revoked by {by}."))
                    .token(token)
                    .changed_by(by)
            }
            System::GuardRefused { integration, host, reason } => system(
                "guard_refused",
                "Target of an integration was refused",
                format!(
                    "{integration} sends to {}, which the guard refuses: {}.",
                    visible(host),
                    ending(reason)
                ),
            )
            .integration(integration)
            .text("host", host)
            .text("reason", reason),
            System::SourceTrouble { source, reason } => system(
                "source_trouble",
                "Source is in trouble",
                format!("The source \"{}\" is in trouble: {}.", visible(source), ending(reason)),
            )
            .text("source_name", source)
            .text("reason", reason),
            System::SourceRecovered { source } => system(
                "source_recovered",
                "Source works again",
                format!("The source \"{}\" works again.", visible(source)),
            )
            .text("source_name", source),
        }
    }
}

fn replay<'a>(integration: &'a IntegrationRef, what: &'a str, act: ReplayAct, by: &'a Actor) -> Notice<'a> {
    let (kind, summary, done) = match act {
        ReplayAct::Begun { .. } => ("start_replay", "Replay was started", "started"),
        ReplayAct::Paused => ("pause_replay", "Replay was paused", "paused"),
        ReplayAct::Resumed => ("resume_replay", "Replay was resumed", "resumed"),
        ReplayAct::Changed { .. } => ("update_replay", "Replay was changed", "given another rate"),
        ReplayAct::Cancelled => ("cancel_replay", "Replay was cancelled", "cancelled"),
    };
    let words = format!("{integration}: the replay ({}) was {done} by {by}.", visible(what));
    let notice = system(kind, summary, words).integration(integration).text("replay", what);
    let notice = match act {
        ReplayAct::Begun { events } => notice.integer("events", events),
        ReplayAct::Changed { events_per_s: Some(rate) } => notice.integer("events_per_second", rate),
        _ => notice,
    };
    notice.changed_by(by)
}

fn token_created<'a>(token: &'a TokenRef, expires_s: Option<u64>, by: &'a Actor) -> Notice<'a> {
    let expires = match expires_s {
        Some(expires_s) => format!("It expires on {}.", written(expires_s)),
        None => "It does not expire.".to_owned(),
    };
    let notice = system(
        "create_token",
        "New API token was created",
        format!("{token} was created by {by}. {expires}"),
    )
    .token(token);
    match expires_s {
        Some(expires_s) => notice.integer("expires", expires_s),
        None => notice,
    }
    .created_by(by)
}

fn system<'a>(notification_type: &'static str, summary: &str, description: String) -> Notice<'a> {
    Notice::new(Kind::System, notification_type, summary, description)
}

impl<'a> Notice<'a> {
    fn user(self, user: &'a User) -> Self {
        self.text("email", &user.email).text("role", &user.role).text("name", &user.name)
    }

    fn integration(self, integration: &'a IntegrationRef) -> Self {
        self.integer("integration_id", integration.id.0)
            .text("integration_name", &integration.name)
            .text("integration_type", WEB_HOOKS)
    }

    fn application(self, application: &'a ApplicationRef) -> Self {
        self.integer("application_id", application.id).text("application", &application.name)
    }

    fn token(self, token: &'a TokenRef) -> Self {
        self.text("token_name", &token.name).text("role", &token.role)
    }
}

/// As sentences name a user: `John Doe <johndoe@example.com>`.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Actor { name: self.name.clone(), email: Some(self.email.clone()) }.fmt(f)
    }
}

/// As the beginnings of sentences name an integration.
impl fmt::Display for IntegrationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The integration \"{}\"", visible(&self.name))
    }
}

/// As the beginnings of sentences name an application.
impl fmt::Display for ApplicationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The application \"{}\"", visible(&self.name))
    }
}

/// As the beginnings of sentences name a token.
impl fmt::Display for TokenRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The API token \"{}\" with the role {}", visible(&self.name), visible(&self.role))
    }
}
