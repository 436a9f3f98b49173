//! The catalogue: at least a hundred products, pages, and a search over words.

use serde_json::{Value, json};

use crate::customer::items;
use crate::shop;

#[test]
fn the_catalogue_is_there_and_pages_do_not_overlap() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let page = |n: u32| client.get(&format!("/api/products?page={n}"))?.expect(200)?.json();
    let (first, second) = (page(1)?, page(2)?);
    assert!(first["total"].as_i64().unwrap_or_default() >= 100, "{first}");
    assert_eq!((first["page"].as_i64(), second["page"].as_i64()), (Some(1), Some(2)));
    let (first, second) = (items(&first)?, items(&second)?);
    assert!(!first.is_empty() && !second.is_empty());
    for product in first.iter().chain(&second) {
        for key in ["id", "name", "description", "category", "currency"] {
            assert!(product[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {product}");
        }
        assert!(product["priceCents"].as_i64().is_some_and(|cents| cents > 0), "{product}");
    }
    assert!(!first.iter().any(|product| second.iter().any(|other| other["id"] == product["id"])));
    Ok(())
}

#[test]
fn words_and_categories_find_products() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let product = items(&client.get("/api/products?page=3&size=1")?.expect(200)?.json()?)?.remove(0);
    let name = product["name"].as_str().unwrap_or_default();
    let query = name.replace(' ', "%20").replace('&', "%26").replace('"', "%22");
    let found = client.get(&format!("/api/products?q={query}"))?.expect(200)?.json()?;
    assert!(items(&found)?.iter().any(|other| other["id"] == product["id"]), "{name}: {found}");

    let category = product["category"].as_str().unwrap_or_default().replace(' ', "%20").replace('&', "%26");
    let found = client.get(&format!("/api/products?category={category}&size=100"))?.expect(200)?.json()?;
    assert!(!items(&found)?.is_empty());
    assert!(items(&found)?.iter().all(|other| other["category"] == product["category"]), "{found}");

    let nothing = client.get("/api/products?q=xyzzyplugh")?.expect(200)?.json()?;
    assert_eq!((&nothing["items"], &nothing["total"]), (&json!([]), &json!(0)));
    // What a search engine would take for its own syntax is text like any other.
    client.get("/api/products?q=%22%20OR%20*%20NEAR(")?.expect(200)?;
    client.get("/api/products?page=0")?.expect_json(400, &json!({"field": "page"}))?;
    Ok(())
}

#[test]
fn staff_change_the_catalogue_and_the_search_follows() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let entry = |name: &str| json!({"name": name, "description": "d", "category": "tests", "priceCents": 5});
    let made = client.post("/api/products", &entry("Quizzaciously"))?.expect(201)?;
    let path = made.header("location").unwrap_or_default().to_owned();
    let count = |word: &str| -> anyhow::Result<Value> {
        Ok(client.get(&format!("/api/products?q={word}"))?.expect(200)?.json()?["total"].clone())
    };
    assert_eq!(count("quizzaciously")?, 1);
    client.put(&path, &entry("Flibbertigibbet"))?.expect(200)?;
    assert_eq!((count("quizzaciously")?, count("flibbertigibbet")?), (json!(0), json!(1)));
    client
        .post("/api/products", &json!({"name": "", "description": "d", "category": "c", "priceCents": -1}))?
        .expect_json(422, &json!({"field": "name", "errors": [{"field": "name"}, {"field": "priceCents"}]}))?;
    Ok(())
}
