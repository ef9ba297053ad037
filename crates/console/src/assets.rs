//! Style sheet, scripts and icon: inside the binary, each under an address that changes with its content.

use crate::Shared;
use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

const ASSETS: &[Asset] = &[
    Asset { name: "style.css", content_type: CSS, bytes: include_bytes!("../assets/style.css") },
    Asset { name: "console.js", content_type: JS, bytes: include_bytes!("../assets/console.js") },
    Asset { name: "live.js", content_type: JS, bytes: include_bytes!("../assets/live.js") },
    Asset { name: "charts.js", content_type: JS, bytes: include_bytes!("../assets/charts.js") },
    Asset { name: "icon.svg", content_type: "image/svg+xml", bytes: include_bytes!("../assets/icon.svg") },
    Asset { name: "htmx.js", content_type: JS, bytes: include_bytes!("../assets/vendor/htmx/htmx.min.js") },
    Asset {
        name: "uplot.js",
        content_type: JS,
        bytes: include_bytes!("../assets/vendor/uplot/uPlot.iife.min.js"),
    },
    Asset {
        name: "uplot.css",
        content_type: CSS,
        bytes: include_bytes!("../assets/vendor/uplot/uPlot.min.css"),
    },
];

/// The address of an asset.
///
/// # Panics
///
/// When there is none of this name: a template is wrong.
pub(crate) fn address(name: &str) -> &'static str {
    let at = ASSETS.iter().position(|asset| asset.name == name);
    let at = at.unwrap_or_else(|| panic!("no asset {name}"));
    &addresses()[at]
}

fn addresses() -> &'static [String] {
    static ADDRESSES: OnceLock<Vec<String>> = OnceLock::new();
    ADDRESSES.get_or_init(|| {
        let of = |asset: &Asset| {
            let hash = Sha256::digest(asset.bytes);
            format!("/assets/{}?v={:02x}{:02x}{:02x}{:02x}", asset.name, hash[0], hash[1], hash[2], hash[3])
        };
        ASSETS.iter().map(of).collect()
    })
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/assets/{name}", get(serve)).route("/favicon.ico", get(icon))
}

async fn icon() -> Response {
    answer("icon.svg", None)
}

async fn serve(Path(name): Path<String>, RawQuery(version): RawQuery) -> Response {
    answer(&name, version.as_deref())
}

fn answer(name: &str, version: Option<&str>) -> Response {
    let Some(at) = ASSETS.iter().position(|asset| asset.name == name) else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    let asset = &ASSETS[at];
    // An address with the right version never means anything else; one without is asked for again.
    let is_current = version.is_some_and(|version| addresses()[at].ends_with(version));
    let cache = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = asset.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_changes_with_the_content_and_is_kept_for_ever() {
        let address = address("style.css");
        let (path, version) = address.split_once('?').expect("a version");
        assert_eq!(path, "/assets/style.css");
        let cached =
            |version| answer("style.css", version).headers()[CACHE_CONTROL].to_str().unwrap().to_owned();
        assert!(cached(Some(version)).contains("immutable"));
        assert_eq!(cached(Some("v=00000000")), "no-cache");
        assert_eq!(answer("none", None).status(), StatusCode::NOT_FOUND);
    }
}
