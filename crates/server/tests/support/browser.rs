//! A browser without a script engine: it keeps cookies, follows redirects, and fills in forms.

use super::{Answer, Hitwire, ask};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The password of everybody in the tests.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// What a form without files is sent as.
const URLENCODED: &str = "application/x-www-form-urlencoded";

/// Somebody in front of the console.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    addr: SocketAddr,
    cookies: BTreeMap<String, String>,
    /// Headers that every request has, such as those by which browsers say where it comes from.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// What forms of the session carry; empty: [`Browser::look_for_csrf`] was not called.
    csrf: String,
}

impl Browser {
    /// Nobody yet.
    pub(crate) fn new(hitwire: &Hitwire) -> Browser {
        Browser {
            addr: hitwire.server().addr(),
            cookies: BTreeMap::new(),
            headers: Vec::new(),
            csrf: String::new(),
        }
    }

    /// The operator who sets the installation up, signed in.
    pub(crate) async fn operator(hitwire: &Hitwire) -> Browser {
        let mut browser = Browser::new(hitwire);
        let set_up = set_up_path(hitwire);
        let account = [
            ("name", "Olga Operator"),
            ("email", "olga@example.com"),
            ("password", PASSWORD),
            ("password_again", PASSWORD),
        ];
        let answer = browser.post_as_it_is(&set_up, &account).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", text(&answer));
        browser
    }

    /// Somebody with this role, signed in with an administrator's link. Answers the user's number too.
    pub(crate) async fn invited(hitwire: &Hitwire, email: &str, role: &str) -> (Browser, u64) {
        let user = serde_json::json!({"email": email, "name": "Somebody", "role": role});
        let id = hitwire.make("users", &user).await["id"].as_u64().expect("an id");
        let link = hitwire.admin().call("POST", &format!("/v1/users/{id}/sign-in-link")).await.expect(200);
        let path = link["body"]["object"]["path"].as_str().expect("a path").to_owned();
        let mut browser = Browser::new(hitwire);
        browser.post(&path, &[("password", PASSWORD), ("password_again", PASSWORD)]).await.sees_other("/");
        browser.look_for_csrf().await;
        (browser, id)
    }

    /// Sends e-mail and password; the answer to it.
    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        self.post("/sign-in", &[("email", email), ("password", password)]).await
    }

    /// Reads what forms of the session carry.
    pub(crate) async fn look_for_csrf(&mut self) {
        let page = self.get("/dashboard").await.page(200);
        self.csrf = input(&page, "csrf").expect("a form");
    }

    /// What a form sends, with what forms of the session carry; the answer to it, whatever it is.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf.clone();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post_as_it_is(path, &all).await
    }

    /// A page, after any redirects.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let answer = self.request("GET", path, None).await;
        self.follow(answer).await
    }

    /// The answer to a `GET`, whatever it is.
    pub(crate) async fn get_as_it_is(&mut self, path: &str) -> Answer {
        self.request("GET", path, None).await
    }

    /// What a form sends, with the secret of the page that it stands on; the page after any redirects.
    pub(crate) async fn submit(&mut self, on_page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(on_page).await;
        let csrf = input(&text(&page), "csrf").unwrap_or_default();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        let answer = self.post_as_it_is(action, &all).await;
        self.follow(answer).await
    }

    /// The answer to a form's fields, just as they are.
    pub(crate) async fn post_as_it_is(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.request("POST", path, Some((URLENCODED, body.into()))).await
    }

    /// The answer to a form's fields and files (each with the name of its field, its own, and its bytes).
    pub(crate) async fn post_files(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &str, &[u8])],
    ) -> Answer {
        const BOUNDARY: &str = "----boundary-of-the-tests";
        let mut body = Vec::new();
        let mut part = |head: String, value: &[u8]| {
            body.extend(
                format!("--{BOUNDARY}\r\ncontent-disposition: form-data; {head}\r\n\r\n").into_bytes(),
            );
            body.extend(value);
            body.extend(b"\r\n");
        };
        for (name, value) in fields {
            part(format!("name=\"{name}\""), value.as_bytes());
        }
        for (name, file, bytes) in files {
            part(format!("name=\"{name}\"; filename=\"{file}\""), bytes);
        }
        body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        self.request("POST", path, Some((&content_type, body.into()))).await
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Holds a cookie from now on.
    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..5 {
            if !answer.status.is_redirection() {
                return answer;
            }
            let to = answer.headers["location"].to_str().expect("text").to_owned();
            answer = self.request("GET", &to, None).await;
        }
        panic!("redirected for ever");
    }

    async fn request(&mut self, method: &str, path: &str, form: Option<(&str, Bytes)>) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder().method(method).uri(path).header("accept", "text/html");
        if !self.headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", self.addr.to_string());
        }
        if !self.headers.iter().any(|(name, _)| *name == "user-agent") {
            request = request.header("user-agent", "tests");
        }
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut bytes = Bytes::new();
        if let Some((content_type, form)) = form {
            request = request.header("content-type", content_type);
            bytes = form;
        }
        let body = Full::new(bytes);
        let answer = ask(self.addr, request.body(body).expect("a request")).await;
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().expect("text");
            let (name, value) =
                set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

impl Answer {
    /// The body as text, of an answer with this status.
    #[track_caller]
    pub(crate) fn page(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", text(self));
        text(self)
    }

    /// That it sends the browser to this place.
    #[track_caller]
    pub(crate) fn sees_other(&self, place: &str) {
        assert_eq!(self.status, 303, "{}", text(self));
        assert_eq!(self.headers["location"], place);
    }
}

/// What stands in a page between these.
#[track_caller]
pub(crate) fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let rest = page.split_once(before).unwrap_or_else(|| panic!("{before} is not in {page}")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("{after} is not in {rest}")).0
}

/// The path in the set-up link.
pub(crate) fn set_up_path(hitwire: &Hitwire) -> String {
    let file = hitwire.server().set_up_link().expect("a set-up link");
    let link = std::fs::read_to_string(file).expect("the file");
    let url = url::Url::parse(link.trim()).expect("a link");
    url.path().to_owned()
}

/// A page as text.
pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// The value of an input of this name on a page, as it stands there.
pub(crate) fn input(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}
