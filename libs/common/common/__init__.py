"""What two services need and another product could use: no table and no rule of any service."""
