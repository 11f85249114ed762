package main

import (
	"context"
	"errors"

	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// authorizationRule stands in for a real authorizer: every field that is not
// empty must equal the attribute of the check.
type authorizationRule struct {
	User        string `json:"user"`
	Verb        string `json:"verb"`
	Path        string `json:"path"`
	Group       string `json:"group"`
	Resource    string `json:"resource"`
	Subresource string `json:"subresource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`

	// Decision is "allow", "deny" or "" for no opinion.
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
	Error    string `json:"error"`
}

func (r *authorizationRule) matches(a authorizer.Attributes) bool {
	user := ""
	if a.GetUser() != nil {
		user = a.GetUser().GetName()
	}
	for _, pair := range [][2]string{
		{r.User, user}, {r.Verb, a.GetVerb()}, {r.Path, a.GetPath()},
		{r.Group, a.GetAPIGroup()}, {r.Resource, a.GetResource()}, {r.Subresource, a.GetSubresource()},
		{r.Namespace, a.GetNamespace()}, {r.Name, a.GetName()},
	} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return true
}

// ruleAuthorizer answers by the first rule that matches, else has no opinion.
type ruleAuthorizer []authorizationRule

func (rules ruleAuthorizer) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	for i := range rules {
		rule := &rules[i]
		if !rule.matches(a) {
			continue
		}
		var err error
		if rule.Error != "" {
			err = errors.New(rule.Error)
		}
		switch rule.Decision {
		case "allow":
			return authorizer.DecisionAllow, rule.Reason, err
		case "deny":
			return authorizer.DecisionDeny, rule.Reason, err
		default:
			return authorizer.DecisionNoOpinion, rule.Reason, err
		}
	}
	return authorizer.DecisionNoOpinion, "", nil
}
