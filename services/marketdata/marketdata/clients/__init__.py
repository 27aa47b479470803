"""The world outside as marketdata needs it: onboarding's books, and providers of prices."""
