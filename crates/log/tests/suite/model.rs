//! Random histories, on the store and on a naive model beside it.
