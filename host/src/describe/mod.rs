//! What modules say of their commands, and how the server is told.

pub mod declaration;
pub mod description;
pub mod find;
pub mod syntax;
pub mod tell;
