//! The two home pages: made of what the other services answer, and of what is left when one of them fails.

use hull_tests::app::App;
use hull_tests::files;
use hull_tests::shared::Running;
use hull_tests::shop::with_components;
use hull_tests::subset::difference;
use serde_json::json;

use crate::customer::{order_of, place, product, settled, user};
use crate::shop;

#[test]
fn both_pages_show_what_there_is() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 100, 5)?);
    client.put(&format!("/api/carts/{user}/items/{lamp}"), &json!({"quantity": 2}))?.expect(200)?;
    let id = place(&client, &order_of(&user, &lamp, 1, "tok_ok"))?;
    settled(&client, &id, "confirmed", &lamp)?;
    crate::customer::notifications(&client, &user, 1)?;

    let web = client.get(&format!("/web/home/{user}"))?.expect(200)?.json()?;
    let expected = json!({"missing": [], "user": {"id": user, "name": "Ada"}, "orders": [{"orderId": id}],
        "cart": {"items": [{"productId": lamp, "quantity": 2, "product": {"name": "Lamp"}}]},
        "notifications": [{"orderId": id, "kind": "confirmed"}]});
    assert_eq!(difference(&expected, &web), None, "{web}");
    assert_eq!(web["featured"].as_array().map(Vec::len), Some(8));

    let mobile = client.get(&format!("/mobile/home/{user}"))?.expect(200)?.json()?;
    let expected = json!({"missing": [], "name": "Ada", "cartCount": 2, "notificationCount": 1,
        "latestOrder": {"orderId": id, "status": "confirmed"}});
    assert_eq!(difference(&expected, &mobile), None, "{mobile}");
    assert!(mobile.to_string().len() < web.to_string().len());
    Ok(())
}

#[test]
fn a_page_without_one_service_says_what_is_missing() -> anyhow::Result<()> {
    let shop = Running::start(without(&["products", "notifications"])?)?;
    let client = shop.client();
    let user = user(&client)?;

    let web = client.get(&format!("/web/home/{user}"))?.expect(200)?.json()?;
    let expected = json!({"user": {"name": "Ada"}, "featured": null, "notifications": null, "orders": [],
        "cart": {"items": []}, "missing": ["products", "notifications"]});
    assert_eq!(difference(&expected, &web), None, "{web}");
    let mobile = client.get(&format!("/mobile/home/{user}"))?.expect(200)?.json()?;
    let expected = json!({"name": "Ada", "cartCount": 0, "notificationCount": null, "missing": ["notifications"]});
    assert_eq!(difference(&expected, &mobile), None, "{mobile}");
    Ok(())
}

/// The shop with components in the place of these that trap on every request.
fn without(broken: &[&str]) -> anyhow::Result<App> {
    let mut manifest = std::fs::read_to_string(files::project().join("spin.toml"))?;
    for name in broken {
        let source = format!("source = \"components/target/wasm32-wasip2/release/{name}.wasm\"");
        assert!(manifest.contains(&source));
        manifest = manifest.replace(&source, "source = \"{probe}\"\nenvironment = { PROBE_ALWAYS = \"trap\" }");
    }
    with_components(&manifest)
}
