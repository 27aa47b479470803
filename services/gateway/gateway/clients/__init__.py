"""The services as the gateway needs them: addresses to pass requests on to, and documents."""
