"""Who the people are: identities, traits, haircuts, movements of the face."""
