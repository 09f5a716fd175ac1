"""Config providers for stores of secrets: HashiCorp Vault, AWS Secrets Manager, Google Cloud's Secret Manager.

One module a store; each needs its extra (``vault``, ``aws-secrets``, ``gcp-secrets``), and none is imported before a worker's
properties name it.
"""
