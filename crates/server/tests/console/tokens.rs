//! Tokens and applications.

use crate::support::{Browser, Hitwire, between, hit};

#[tokio::test]
async fn a_token_is_shown_once_works_and_is_revoked() {
    let hitwire = Hitwire::start().await;
    let mut olga = Browser::operator(&hitwire).await;
    olga.look_for_csrf().await;
    assert!(olga.get("/settings/tokens").await.page(200).contains("No tokens yet"));
    let page = olga.post("/settings/tokens/add", &[("name", ""), ("role", "ingest")]).await.page(422);
    assert!(page.contains("id=\"name-error\">It is empty."), "{page}");
    let form = [("name", "waf <b>"), ("role", "ingest"), ("days", "30"), ("own", "1")];
    let page = olga.post("/settings/tokens/add", &form).await.page(200);
    let token = between(&page, "id=\"token\">", "</output>").to_owned();
    assert_eq!(token.len(), 64);
    hitwire.caller(&token).send("POST", "/v1/events", &hit(1)).await.expect(202);
    let page = olga.get("/settings/tokens").await.page(200);
    assert!(!page.contains(&token) && page.contains("waf &#60;b&#62;") && page.contains("olga@example.com"));
    let id = between(&page, "/settings/tokens/", "/revoke").rsplit('/').next().expect("an id").to_owned();
    let revoke = format!("/settings/tokens/{id}/revoke");
    olga.post(&revoke, &[]).await.sees_other("/settings/tokens?done=revoked");
    hitwire.caller(&token).send("POST", "/v1/events", &hit(2)).await.expect(401);
}

#[tokio::test]
async fn an_administrator_makes_no_token_above_their_own_role() {
    let hitwire = Hitwire::start().await;
    let (mut ann, _) = Browser::invited(&hitwire, "ann@example.com", "admin").await;
    assert!(!ann.get("/settings/tokens/add").await.page(200).contains("value=\"operator\""));
    ann.post("/settings/tokens/add", &[("name", "x"), ("role", "operator")]).await.page(403);
    let page =
        ann.post("/settings/tokens/add", &[("name", "x"), ("role", "admin"), ("days", "0")]).await.page(200);
    let token = between(&page, "id=\"token\">", "</output>").to_owned();
    hitwire.caller(&token).get("/v1/users").await.expect(200);
}

#[tokio::test]
async fn applications_get_names_and_lose_them() {
    let hitwire = Hitwire::start().await;
    let mut olga = Browser::operator(&hitwire).await;
    olga.look_for_csrf().await;
    assert!(olga.get("/settings/applications").await.page(200).contains("No application has a name yet"));
    let page = olga.post("/settings/applications", &[("name", "shop"), ("id", "seven")]).await.page(422);
    assert!(page.contains("id=\"id-error\"") && page.contains("value=\"seven\""), "{page}");
    let shop = [("name", "shop"), ("id", "7")];
    olga.post("/settings/applications", &shop).await.sees_other("/settings/applications?done=added");
    olga.post("/settings/applications", &shop).await.page(409);
    let rename = olga.post("/settings/applications/7", &[("name", "Web shop")]).await;
    rename.sees_other("/settings/applications?done=renamed");
    assert!(olga.get("/settings/applications?q=web").await.page(200).contains("Web shop"));
    let deleted = olga.post("/settings/applications/7/delete", &[]).await;
    deleted.sees_other("/settings/applications?done=deleted");
    olga.get("/settings/applications/7").await.page(404);
}
