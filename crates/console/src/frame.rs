//! What stands around every page of somebody who is signed in.

use crate::session::Session;
use crate::{Console, zone};
use http::Method;

/// Places in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nav {
    Dashboard,
    Events,
    Vulnerabilities,
    /// A tab of the settings.
    Settings(Tab),
}

/// Tabs of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    Profile,
    General,
    Integrations,
    Sources,
    Applications,
    Users,
    Tokens,
    Activity,
}

/// A tab as the frame shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TabLink {
    pub(crate) label: &'static str,
    pub(crate) path: &'static str,
    pub(crate) current: bool,
}

/// What stands around a page.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// In the window's title, before the product's name.
    pub(crate) title: String,
    pub(crate) nav: Nav,
    pub(crate) product: String,
    pub(crate) tabs: Vec<TabLink>,
    /// Where the settings begin.
    pub(crate) settings: &'static str,
    pub(crate) user_name: String,
    pub(crate) role: &'static str,
    pub(crate) csrf: String,
    pub(crate) theme: &'static str,
    /// The zone of all times on the page: `Europe/Berlin (UTC+01:00)`.
    pub(crate) zone: String,
    /// What was just done, in fixed words.
    pub(crate) done: Option<&'static str>,
}

/// The tabs, and the call of the API that whoever sees one must be allowed to make; none: everybody.
const TABS: &[(Tab, &str, &str, Option<&str>)] = &[
    (Tab::Profile, "Profile", "/settings/profile", None),
    (Tab::General, "General", "/settings/general", None),
    (Tab::Integrations, "Integrations", "/settings/integrations", Some("/v2/integration")),
    (Tab::Sources, "Sources", "/settings/sources", Some("/v1/sources")),
    (Tab::Applications, "Applications", "/settings/applications", Some("/v1/applications")),
    (Tab::Users, "Users", "/settings/users", Some("/v1/users")),
    (Tab::Tokens, "API tokens", "/settings/tokens", Some("/v1/tokens")),
    (Tab::Activity, "Activity log", "/settings/activity", Some("/v1/activity")),
];

/// Where the settings begin for whoever is signed in: at the integrations, or, for whom they are not, at the profile.
pub(crate) fn settings_path(console: &Console, session: &Session) -> &'static str {
    if console.may(session, &Method::GET, "/v2/integration") {
        "/settings/integrations"
    } else {
        "/settings/profile"
    }
}

impl Frame {
    /// The frame of a page for this session.
    pub(crate) fn new(console: &Console, session: &Session, nav: Nav, title: impl Into<String>) -> Frame {
        let seen = TABS
            .iter()
            .filter(|(_, _, _, call)| call.is_none_or(|call| console.may(session, &Method::GET, call)));
        let tabs =
            seen.map(|(tab, label, path, _)| TabLink { label, path, current: nav == Nav::Settings(*tab) });
        Frame {
            title: title.into(),
            nav,
            product: console.product.clone(),
            tabs: tabs.collect(),
            settings: settings_path(console, session),
            user_name: session.user.name.clone(),
            role: session.role().title(),
            csrf: session.csrf.clone(),
            theme: session.theme,
            zone: zone::name_and_offset((console.now_ms)()),
            done: None,
        }
    }

    /// With words about what was just done.
    #[must_use]
    pub(crate) fn with_done(self, done: Option<&'static str>) -> Frame {
        Frame { done, ..self }
    }

    /// Whether the page is one of the settings.
    pub(crate) fn is_settings(&self) -> bool {
        matches!(self.nav, Nav::Settings(_))
    }
}
