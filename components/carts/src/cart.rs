//! A cart and how it changes, and where carts are kept.

use hull_sdk::kv::Bucket;
use hull_sdk::{Problem, Result};
use serde::{Deserialize, Serialize};

/// The most of one product.
pub(crate) const QUANTITY_MAX: u32 = 99;
/// The most different products.
pub(crate) const LINES_MAX: usize = 50;

/// One product in a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub(crate) product_id: String,
    pub(crate) quantity: u32,
}

/// Everything in a cart, in the order in which it was put there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cart {
    pub(crate) items: Vec<Line>,
}

impl Cart {
    /// Put so many of a product into the cart, whatever there was of it.
    pub(crate) fn put(&mut self, product_id: &str, quantity: u32) -> Result<(), Problem> {
        if let Some(line) = self.items.iter_mut().find(|line| line.product_id == product_id) {
            line.quantity = quantity;
        } else if self.items.len() < LINES_MAX {
            self.items.push(Line { product_id: product_id.to_owned(), quantity });
        } else {
            return Err(Problem::invalid("product", format!("a cart holds {LINES_MAX} different products at most")));
        }
        Ok(())
    }

    /// Take a product out.
    pub(crate) fn remove(&mut self, product_id: &str) {
        self.items.retain(|line| line.product_id != product_id);
    }

    /// Take out what was ordered; what was added since the order stays.
    pub(crate) fn ordered(&mut self, lines: &[Line]) {
        for bought in lines {
            if let Some(line) = self.items.iter_mut().find(|line| line.product_id == bought.product_id) {
                line.quantity = line.quantity.saturating_sub(bought.quantity);
            }
        }
        self.items.retain(|line| line.quantity > 0);
    }
}

/// The cart of a user; one that was never touched is empty.
pub(crate) fn load(user: &str) -> Result<Cart> {
    Ok(Bucket::open("default")?.get(&key(user))?.unwrap_or_default())
}

/// Change the cart of a user, and lose no change that happens at the same time.
pub(crate) fn change(user: &str, mut change: impl FnMut(&mut Cart) -> Result<(), Problem>) -> Result<Cart> {
    Bucket::open("default")?.change(&key(user), |mut cart: Cart| {
        change(&mut cart)?;
        Ok(cart)
    })
}

fn key(user: &str) -> String {
    format!("cart:{user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(product_id: &str, quantity: u32) -> Line {
        Line { product_id: product_id.to_owned(), quantity }
    }

    #[test]
    fn puts_replaces_and_removes() {
        let mut cart = Cart::default();
        cart.put("a", 1).expect("fits");
        cart.put("b", 2).expect("fits");
        cart.put("a", 5).expect("fits");
        assert_eq!(cart.items, [line("a", 5), line("b", 2)]);
        cart.remove("a");
        cart.remove("never there");
        assert_eq!(cart.items, [line("b", 2)]);
    }

    #[test]
    fn holds_so_many_products_and_no_more() {
        let mut cart = Cart::default();
        for n in 0..LINES_MAX {
            cart.put(&n.to_string(), 1).expect("fits");
        }
        assert!(cart.put("one more", 1).is_err());
        assert!(cart.put("0", 9).is_ok());
    }

    #[test]
    fn keeps_what_was_added_after_the_order() {
        let mut cart = Cart { items: vec![line("a", 3), line("b", 1), line("c", 1)] };
        cart.ordered(&[line("a", 2), line("b", 1), line("gone", 1)]);
        assert_eq!(cart.items, [line("a", 1), line("c", 1)]);
    }
}
