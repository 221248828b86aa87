/**
 * The whole AssemblyScript runtime of both modules: nothing. With no allocator and no collector to call, any
 * managed object (a string built at run time, an array, a class that is not @unmanaged, a closure) is an
 * error of the compiler.
 */
export {};
