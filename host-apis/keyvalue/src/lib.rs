//! keyvalue.
