//! The provider is out for longer than an order may wait: the order is cancelled with its stock back, and whatever the
//! provider did or did not do meanwhile, in the end nobody has paid for it.

use serde_json::json;

use crate::customer::{ledger, notifications, order_of, payments, place, product, settled, statuses, stock, user};
use crate::provider_line::{Line, ProviderLine};
use hull_tests::subset::difference;
use hull_tests::wait;

/// Orders are overdue soon, and the provider is asked again soon.
const SOON: [(&str, &str); 2] = [
    ("payment_time_s = \"900\"", "payment_time_s = \"2\""),
    ("[\"100ms\", \"500ms\", \"2s\", \"10s\", \"1m\"]", "[\"100ms\"]"),
];
/// Not before they were charged.
const SOON_AFTER_THE_CHARGE: [(&str, &str); 2] = [("payment_time_s = \"900\"", "payment_time_s = \"5\""), SOON[1]];

#[test]
fn an_order_that_is_overdue_while_the_provider_is_out_is_never_charged() -> anyhow::Result<()> {
    let line = ProviderLine::new()?;
    let (_app, host) = line.shop(&SOON, crate::altered)?;
    let client = host.client();
    let (user, lamp) = (user(&client)?, product(&client, 500, 5)?);
    let id = place(&client, &order_of(&user, &lamp, 2, "tok_ok"))?;
    let order = settled(&client, &id, "cancelled", &lamp)?;
    assert_eq!(order["reason"], "not paid in time");
    assert_eq!(difference(&json!({"available": 5, "sold": 0}), &stock(&client, &lamp)?), None);
    assert!(ledger(&client, &id)?.is_empty(), "the provider was out");

    line.set(Line::Open);
    let called_off = wait::until("the charge to be called off", || {
        let ledger = ledger(&client, &id)?;
        Ok((!ledger.is_empty()).then_some(ledger))
    })?;
    assert_eq!(statuses(&called_off), ["voided"]);
    wait::until("payments to know", || Ok((statuses(&payments(&client, &id)?) == ["declined"]).then_some(())))?;
    let order = settled(&client, &id, "cancelled", &lamp)?;
    assert_eq!(order["reason"], "not paid in time");
    assert_eq!(notifications(&client, &user, 1)?.len(), 1);
    Ok(())
}

#[test]
fn a_charge_whose_answer_came_too_late_is_refunded() -> anyhow::Result<()> {
    let line = ProviderLine::new()?;
    let (_app, host) = line.shop(&SOON_AFTER_THE_CHARGE, crate::altered)?;
    let client = host.client();
    let (user, lamp) = (user(&client)?, product(&client, 500, 5)?);
    line.set(Line::Mute);
    let id = place(&client, &order_of(&user, &lamp, 2, "tok_ok"))?;
    wait::until("the provider to charge", || Ok((statuses(&ledger(&client, &id)?) == ["charged"]).then_some(())))?;
    settled(&client, &id, "cancelled", &lamp)?;
    assert_eq!(difference(&json!({"available": 5, "sold": 0}), &stock(&client, &lamp)?), None);
    assert!(payments(&client, &id)?.is_empty(), "nobody here has heard of the charge");

    line.set(Line::Open);
    wait::until("the money to be back", || Ok((statuses(&ledger(&client, &id)?) == ["refunded"]).then_some(())))?;
    wait::until("payments to know", || Ok((statuses(&payments(&client, &id)?) == ["refunded"]).then_some(())))?;
    settled(&client, &id, "cancelled", &lamp)?;
    assert_eq!(notifications(&client, &user, 1)?.len(), 1);
    Ok(())
}
