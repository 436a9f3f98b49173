//! Tests of the whole: the real binary, real components, real sockets.
