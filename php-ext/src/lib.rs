//! The PHP extension: what existing chat code calls, as a thin skin over Redis.
//!
//! Modules in reading order, from what PHP is told to what goes over the wire:

#![allow(missing_docs, reason = "the only public item is the entry point that the macro writes, without any")]

mod functions;
mod arguments;
mod calls;
mod exchange;
mod delivery;
mod fetched_rows;
mod error;
mod settings;
mod address;
mod link;
mod info;
mod zend;

use ext_php_rs::prelude::*;

/// What PHP sees: the functions, and what happens as the module and a request start and end.
#[php_module]
#[php(startup = "startup")]
pub fn get_module(module: ModuleBuilder<'_>) -> ModuleBuilder<'_> {
    let module = functions::table().into_iter().fold(module, ModuleBuilder::function);
    module
        .enumeration::<delivery::Delivery>()
        .name("chatpush")
        .request_shutdown_function(request_shutdown)
        .info_function(info::print)
}

fn startup(_kind: i32, module: i32) -> i32 {
    settings::register(module);
    if error::register_classes().is_err() {
        return zend::FAILURE;
    }
    functions::refine_types();
    settings::warn_at_start();
    zend::SUCCESS
}

extern "C" fn request_shutdown(_kind: i32, _module: i32) -> i32 {
    fetched_rows::forget();
    zend::SUCCESS
}
