//! What the host does for one invocation through its interfaces. Most requests need little of it, so it is made when a guest
//! first asks.

use std::sync::Arc;

use hull_bus::Bus;
use hull_config::{ConfigCtx, LiveFlags, Settings};
use hull_http::{Egress, OutgoingHttp};
use hull_invocation::{ComponentId, Invocation, Slot};
use hull_keyvalue::KeyValueCtx;
use hull_messaging::{MessagingCtx, MessagingPolicy};
use hull_sql::SqlCtx;
use hull_storage::{Database, EventIdentity, Session, SessionOptions};
use hull_transactions::TransactionsCtx;

use crate::flags::config_of;
use crate::spec::Grants;

/// What services of a version are made from. Apart from the version, which holds instances that hold this.
pub(crate) struct Provisions {
    pub(crate) component: ComponentId,
    pub(crate) settings: Arc<Settings>,
    pub(crate) flags: Arc<LiveFlags>,
    /// Whether its instances serve many at once.
    pub(crate) serves_many: bool,
    pub(crate) egress: Arc<Egress>,
    pub(crate) grants: Grants,
    pub(crate) database: Database,
    pub(crate) messaging: Arc<MessagingPolicy>,
    pub(crate) bus: Arc<dyn Bus>,
}

/// The event that an invocation handles.
#[derive(Clone)]
pub(crate) struct Handling {
    pub(crate) identity: EventIdentity,
    pub(crate) expects_reply: bool,
}

/// What belongs to an invocation and not to the instance: replaced when an instance is used again.
pub(crate) struct Serving {
    provisions: Arc<Provisions>,
    invocation: Arc<Invocation>,
    handling: Option<Handling>,
    pub(crate) outgoing: OutgoingHttp,
    services: Option<Services>,
}

pub(crate) struct Services {
    pub(crate) config: ConfigCtx,
    pub(crate) keyvalue: KeyValueCtx,
    pub(crate) sql: SqlCtx,
    pub(crate) transactions: TransactionsCtx,
    pub(crate) messaging: MessagingCtx,
    pub(crate) session: Session,
}

impl Serving {
    pub(crate) fn new(provisions: &Arc<Provisions>, invocation: &Invocation, handling: Option<&Handling>) -> Self {
        // The place that the invocation holds is the driver's to give back: an instance that waits for its next
        // invocation must not keep it.
        let invocation = Arc::new(Invocation { slot: Slot::default(), ..invocation.clone() });
        Self {
            provisions: Arc::clone(provisions),
            outgoing: OutgoingHttp::new(Arc::clone(&provisions.egress), Arc::clone(&invocation)),
            invocation,
            handling: handling.cloned(),
            services: None,
        }
    }

    pub(crate) fn services(&mut self) -> &mut Services {
        let make = || Services::new(&self.provisions, &self.invocation, self.handling.take());
        self.services.get_or_insert_with(make)
    }

    /// Those that were made.
    pub(crate) fn made(&mut self) -> Option<&mut Services> {
        self.services.as_mut()
    }
}

impl Services {
    fn new(provisions: &Provisions, invocation: &Arc<Invocation>, handling: Option<Handling>) -> Self {
        let expects_reply = handling.as_ref().is_some_and(|handling| handling.expects_reply);
        let session = provisions.database.session(SessionOptions {
            frame: Arc::clone(invocation.lineage.frame()),
            deadline: invocation.deadline,
            event: handling.map(|handling| handling.identity),
            expects_reply,
        });
        let granted = |grant: bool| grant.then(|| session.clone());
        let component = || provisions.component.clone();
        let grants = provisions.grants;
        Self {
            config: config_of(provisions, invocation),
            keyvalue: KeyValueCtx::new(component(), granted(grants.keyvalue)),
            sql: SqlCtx::new(component(), granted(grants.sql)),
            transactions: TransactionsCtx::new(component(), granted(grants.keyvalue || grants.sql || grants.publish)),
            messaging: MessagingCtx::new(
                session.clone(),
                Arc::clone(&provisions.messaging),
                Arc::clone(&provisions.bus),
                Arc::clone(invocation),
                expects_reply,
            ),
            session,
        }
    }
}
