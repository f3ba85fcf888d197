// Package config is the configuration of a server: a section for each part that has one.
// Where a part has its own configuration struct, such as maintain.Config, its sections,
// defaults and checks are those of the part, and Config only composes them.
package config
