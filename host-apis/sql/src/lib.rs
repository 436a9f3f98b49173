//! `hull:sql@0.1.0`: statements on the component's own database.
//!
//! The engine puts a [`SqlCtx`] into each store and calls [`add_to_linker`] once per linker.

mod convert;

use hull_invocation::ComponentId;
use hull_storage::Session;
use wasmtime::component::{HasData, Linker};

use self::bindings::hull::sql::database::Host;
use self::bindings::hull::sql::types::{self, Error, ResultSet, Value};

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::pedantic)]
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "hull:host/sql",
        imports: { default: async | trappable },
    });
}

/// What one invocation has of SQL.
pub struct SqlCtx {
    component: ComponentId,
    session: Option<Session>,
}

impl SqlCtx {
    /// Without a session, `sqlite_databases` is not granted: every statement says which line would grant it.
    pub fn new(component: ComponentId, session: Option<Session>) -> Self {
        Self { component, session }
    }

    fn session(&self) -> Result<&Session, Error> {
        self.session.as_ref().ok_or_else(|| {
            Error::Denied(format!(
                "access denied: add `sqlite_databases = [\"default\"]` to [component.{}] of spin.toml",
                self.component.component()
            ))
        })
    }
}

/// A store's context, borrowed for one call. The interface has no resources.
pub struct SqlView<'a> {
    /// What the invocation has.
    pub ctx: &'a mut SqlCtx,
}

/// Give components of this linker the interface.
pub fn add_to_linker<T: 'static + Send>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> SqlView<'_>,
) -> wasmtime::Result<()> {
    bindings::hull::sql::types::add_to_linker::<T, HasSql>(linker, view)?;
    bindings::hull::sql::database::add_to_linker::<T, HasSql>(linker, view)
}

struct HasSql;

impl HasData for HasSql {
    type Data<'a> = SqlView<'a>;
}

impl types::Host for SqlView<'_> {}

impl Host for SqlView<'_> {
    async fn query(&mut self, statement: String, parameters: Vec<Value>) -> wasmtime::Result<Result<ResultSet, Error>> {
        let session = match self.ctx.session() {
            Ok(session) => session,
            Err(denied) => return Ok(Err(denied)),
        };
        let result = session.query(statement, convert::parameters(parameters)).await;
        Ok(result.map(convert::result_set).map_err(convert::error))
    }

    async fn execute(&mut self, statement: String, parameters: Vec<Value>) -> wasmtime::Result<Result<u64, Error>> {
        let session = match self.ctx.session() {
            Ok(session) => session,
            Err(denied) => return Ok(Err(denied)),
        };
        Ok(session.execute(statement, convert::parameters(parameters)).await.map_err(convert::error))
    }
}

#[cfg(test)]
mod tests;
